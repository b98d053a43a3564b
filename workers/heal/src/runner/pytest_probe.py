"""Writes what pytest reports to a file, one JSON object a line.

Loaded with `-p` into the run under observation, so it has to work on every Python and pytest that the run
may use (2.7 to 3.14, pytest 3 to 9) and must change nothing about the run.
"""
import io
import json
import linecache
import os
import sys

import pytest
from maestro_plan import Plan

# Bound now: a test may have put something else in the place of `json.dumps` while its outcome is written.
_encode = json.JSONEncoder(sort_keys=True).encode
_LIMIT = 20000
_sink = None
_plan = None
# The file whose own line skipped the test that is reported; a mark, a plugin and the runner itself have none.
_base = _here = _skipper = ""


def _emit(**record):
    if _sink is not None:
        line = _encode(record)
        _sink.write(line if isinstance(line, type(u"")) else line.decode("utf-8"))
        _sink.write(u"\n")
        _sink.flush()


def _text(value):
    try:
        text = value if isinstance(value, type(u"")) else str(value)
    except Exception:
        text = "<unprintable %s>" % type(value).__name__
    return text if len(text) <= _LIMIT else text[: _LIMIT // 2] + "\n[...]\n" + text[-_LIMIT // 2 :]


def _frames(traceback):
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append([code.co_filename, traceback.tb_lineno, code.co_name])
        traceback = traceback.tb_next
    return frames[:20] + frames[-80:] if len(frames) > 100 else frames


def _root(error):
    # pytest wraps what went wrong while a module was imported; the cause is what matters.
    seen = 0
    while type(error).__name__ in ("CollectError", "ConftestImportFailure") and seen < 5:
        cause = getattr(error, "__cause__", None) or getattr(error, "cause", None)
        if cause is None:
            break
        error, seen = cause, seen + 1
    return error


def _describe(error, fallback_traceback):
    error = _root(error)
    kind = type(error)
    module = getattr(kind, "__module__", "builtins")
    name = kind.__name__
    qualified = name if module in ("builtins", "exceptions", "__builtin__") else module + "." + name
    message = _text(error)
    if name == "FixtureLookupError":
        message = "fixture '%s' not found" % getattr(error, "argname", "?")
    frames = _frames(getattr(error, "__traceback__", None) or fallback_traceback)
    if isinstance(error, SyntaxError) and error.filename:
        frames.append([error.filename, error.lineno or 1, "<module>"])
        message = _text(error.msg)
    return {"exception": qualified, "message": message, "frames": frames}


def pytest_configure(config):
    global _sink, _plan, _base, _here
    target = os.environ.get("MAESTRO_PROBE_FILE")
    if hasattr(config, "workerinput") or hasattr(config, "slaveinput"):
        return
    _here = os.getcwd()
    _base = _text(getattr(config, "rootdir", "") or _here)
    if target:
        _sink = io.open(target, "a", encoding="utf-8")
        _emit(kind="start", root=_base)
    _plan = Plan(_emit)


def _steady(test):
    """A test's id without the directory of this run, which the values of its parameters may name."""
    return test.replace(_here + os.sep, "")


def _own(test):
    """A test's id as the engine has it: relative to the directory of the run, not to pytest's root."""
    path, mark, rest = _steady(test).partition("::")
    return os.path.relpath(os.path.join(_base, path), _here) + mark + rest


def _leaves_out(path):
    path = str(path)
    name = os.path.basename(path)
    if _plan is None or not name.endswith(".py") or name in ("__init__.py", "conftest.py"):
        return None
    return _plan.leaves_out(os.path.relpath(path, _here)) or None


# pytest 7 has other arguments, and 9 no longer the old ones.
if int(pytest.__version__.partition(".")[0]) >= 7:

    def pytest_ignore_collect(collection_path):
        return _leaves_out(collection_path)

else:

    def pytest_ignore_collect(path):
        return _leaves_out(path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if _plan is None:
        return
    kept, left = _plan.arrange(items, lambda item: _own(item.nodeid))
    if left:
        config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    if _plan is not None:
        _plan.begin(_own(item.nodeid))
    yield
    if _plan is not None:
        _plan.end(_steady(item.nodeid))


def pytest_collection_finish(session):
    _emit(kind="collected", tests=[_steady(item.nodeid) for item in session.items])


def pytest_exception_interact(node, call, report):
    if call.excinfo is None or _sink is None:
        return
    record = _describe(call.excinfo.value, call.excinfo.tb)
    _emit(
        kind="failure",
        test=_steady(node.nodeid),
        when=getattr(report, "when", "collect"),
        text=_text(getattr(report, "longreprtext", "") or report.longrepr or ""),
        **record
    )


def pytest_collectreport(report):
    if report.failed:
        _emit(kind="outcome", test=_steady(report.nodeid), when="collect", outcome="failed", text=_text(report.longrepr))
    elif report.skipped:
        # A module that skips itself: counted, so that a repair cannot hide tests behind it.
        _emit(kind="outcome", test=_steady(report.nodeid), when="collect", outcome="skipped", text="")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    # The report itself names the test's own line where a fixture skips it.
    global _skipper
    _skipper = ""
    if call.excinfo is None or type(call.excinfo.value).__name__ not in ("Skipped", "SkipTest"):
        return
    frames = [frame for frame in _frames(call.excinfo.tb) if "_pytest" not in frame[0]]
    if frames:
        path, line, _ = frames[-1]
        _skipper = _text(path) if "skip" in linecache.getline(path, line).lower() else ""


def pytest_runtest_logreport(report):
    outcome = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed" if report.passed else "failed"
    if report.when == "call" or outcome != "passed":
        _emit(
            kind="outcome",
            test=_steady(report.nodeid),
            when=report.when,
            outcome=outcome,
            text=_text(getattr(report, "longreprtext", "")) if outcome == "failed" else "",
            path=_skipper if outcome == "skipped" else "",
        )


def pytest_sessionfinish(session, exitstatus):
    if _plan is not None:
        _plan.finish()
    _emit(kind="finish", status=int(exitstatus))
