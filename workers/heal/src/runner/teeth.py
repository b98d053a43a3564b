"""Runs the same tests once for each planted defect, each time in a process of its own that is forked from this one,
so that the interpreter and the runner are loaded once. The first run has no defect and must pass; so must the last.

The defect is there for whoever imports the file: nothing is written. `python -m maestro_teeth RUNNER ARGUMENTS`.
"""
import json
import os
import signal
import sys
import time
from importlib import import_module, machinery

_LEAST_S = 1.0
# A test that has caught so many need not prove more.
_ENOUGH = 4


def _plant(path, text):
    read, stats = machinery.SourceFileLoader.get_data, machinery.SourceFileLoader.path_stats
    real = os.path.realpath(path)

    def get_data(self, name):
        return text.encode("utf-8") if os.path.realpath(name) == real else read(self, name)

    def path_stats(self, name):
        # Without an age there is no compiled file that could be taken instead.
        if os.path.realpath(name) == real:
            raise OSError(name)
        return stats(self, name)

    machinery.SourceFileLoader.get_data = get_data
    machinery.SourceFileLoader.path_stats = path_stats


def _child(defect, runner, arguments):
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.environ["MAESTRO_PROBE_FILE"] = ""
    if defect is not None:
        _plant(defect["path"], defect["text"])
    if runner == "unittest":
        import unittest

        import maestro_unittest_probe as probe

        argv = ["python -m unittest"] + arguments
        program = unittest.main(module=None, argv=argv, testRunner=probe.Runner, exit=False, failfast=True)
        # A run of no tests proves nothing; pytest has a status of its own for it.
        return 5 if not program.result.testsRun else 0 if program.result.wasSuccessful() else 1
    import pytest

    # One failure is enough, and nobody reads its traceback.
    return int(pytest.main(arguments + ["--maxfail=1", "--tb=no"]))


def _run(defect, runner, arguments, limit):
    """The exit status of a run with this defect, or `None` where it took too long, and its seconds."""
    began = time.time()
    child = os.fork()
    if not child:
        status = 70
        try:
            status = _child(defect, runner, arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            status = 1
        finally:
            os._exit(status)
    status = None
    while time.time() - began < limit:
        done, raw = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.WEXITSTATUS(raw) if os.WIFEXITED(raw) else 128
            break
        time.sleep(0.002)
    # Whatever the tests left running dies with them.
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        pass
    if status is None:
        try:
            os.waitpid(child, 0)
        except OSError:
            pass
    return status, time.time() - began


def _load(runner):
    """What every child needs, and what is none of the project's, is imported once."""
    if runner == "unittest":
        import unittest  # noqa: F401

        return
    import pytest  # noqa: F401

    try:
        from _pytest.config import default_plugins

        for name in default_plugins:
            import_module("_pytest." + name)
    except ImportError:
        pass


# Bound now: a test may have put something else in the place of `json.dumps`.
_encode = json.JSONEncoder().encode


def main():
    """All the runs, one record each."""
    runner, arguments = sys.argv[1], sys.argv[2:]
    with open(os.environ["MAESTRO_TEETH"]) as file:
        defects = json.load(file)
    records = os.environ["MAESTRO_PROBE_FILE"]
    _load(runner)
    limit = 60.0
    failed = 0
    last = len(defects) + 1
    for index, defect in enumerate([None] + defects + [None]):
        if failed == _ENOUGH and index != last:
            continue
        if index == last and not failed:
            # Nothing failed, so nothing can have failed for what an earlier run left behind.
            break
        status, seconds = _run(defect, runner, arguments, limit)
        with open(records, "a") as sink:
            sink.write(_encode({"kind": "bite", "index": index, "status": status}) + "\n")
        if index == 0:
            if status != 0:
                break
            limit = max(_LEAST_S, 5 * seconds)
        failed += status != 0


if __name__ == "__main__":
    main()
