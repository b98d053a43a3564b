"""Runs `unittest` as `python -m unittest` would, and writes what it reports to a file, one JSON object a line."""
import io
import json
import os
import sys
import unittest

from maestro_plan import Plan

_LIMIT = 20000
_target = os.environ.get("MAESTRO_PROBE_FILE")
# Bound now: a test may have put something else in the place of `json.dumps` while its outcome is written.
_encode = json.JSONEncoder(sort_keys=True).encode
_sink = io.open(_target, "a", encoding="utf-8") if _target else None


def _emit(**record):
    if _sink is not None:
        line = _encode(record)
        _sink.write(line if isinstance(line, type(u"")) else line.decode("utf-8"))
        _sink.write(u"\n")
        _sink.flush()


def _text(value):
    try:
        text = str(value)
    except Exception:
        text = "<unprintable %s>" % type(value).__name__
    return text if len(text) <= _LIMIT else text[: _LIMIT // 2] + "\n[...]\n" + text[-_LIMIT // 2 :]


def _frames(traceback):
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        # unittest's own frames say nothing about the failure.
        if "__unittest" not in traceback.tb_frame.f_globals:
            frames.append([code.co_filename, traceback.tb_lineno, code.co_name])
        traceback = traceback.tb_next
    return frames[:20] + frames[-80:] if len(frames) > 100 else frames


class _Result(unittest.TextTestResult):
    def _outcome(self, test, outcome, when="call"):
        _emit(kind="outcome", test=test.id(), when=when, outcome=outcome, text="")

    def _failure(self, test, err, formatted):
        kind, error, traceback = err
        module = kind.__module__
        qualified = kind.__name__ if module in ("builtins", "exceptions") else module + "." + kind.__name__
        loading = type(test).__name__ in ("_FailedTest", "ModuleImportFailure", "LoadTestsFailure")
        names = [frame[2] for frame in _frames(traceback)]
        when = "collect" if loading else "setup" if "setUp" in names[:1] or type(test).__name__ == "_ErrorHolder" else "call"
        _emit(
            kind="failure",
            test=test.id(),
            when=when,
            exception=qualified,
            message=_text(error),
            frames=_frames(traceback),
            text=_text(formatted),
        )
        self._outcome(test, "failed", when)

    plan = None

    def startTest(self, test):
        super(_Result, self).startTest(test)
        if self.plan is not None:
            self.plan.begin(test.id())

    def stopTest(self, test):
        if self.plan is not None:
            self.plan.end(test.id())
        super(_Result, self).stopTest(test)

    def addSuccess(self, test):
        super(_Result, self).addSuccess(test)
        self._outcome(test, "passed")

    def addError(self, test, err):
        super(_Result, self).addError(test, err)
        self._failure(test, err, self.errors[-1][1])

    def addFailure(self, test, err):
        super(_Result, self).addFailure(test, err)
        self._failure(test, err, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super(_Result, self).addSubTest(test, subtest, err)
        if err is not None:
            log = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._failure(test, err, log[-1][1])

    def addSkip(self, test, reason):
        super(_Result, self).addSkip(test, reason)
        self._outcome(test, "skipped")

    def addExpectedFailure(self, test, err):
        super(_Result, self).addExpectedFailure(test, err)
        self._outcome(test, "xfailed")

    def addUnexpectedSuccess(self, test):
        super(_Result, self).addUnexpectedSuccess(test)
        self._outcome(test, "failed")


class Runner(unittest.TextTestRunner):
    """unittest's own runner, observed."""

    resultclass = _Result

    def run(self, test):
        _emit(kind="start", root=os.getcwd())
        plan = Plan(_emit)
        kept, left = plan.arrange(list(_cases(test)), lambda case: case.id())
        if os.environ.get("MAESTRO_PROBE_PLAN"):
            test = unittest.TestSuite(kept)
        _emit(kind="collected", tests=[case.id() for case in kept])
        _Result.plan = plan
        result = super(Runner, self).run(test)
        plan.finish()
        _emit(kind="finish", status=0 if result.wasSuccessful() else 1)
        return result


def _cases(suite):
    try:
        children = iter(suite)
    except TypeError:
        yield suite
        return
    for child in children:
        for case in _cases(child):
            yield case


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    # `python -m unittest` without arguments discovers; so does this.
    unittest.main(module=None, argv=["python -m unittest"] + sys.argv[1:], testRunner=Runner)
