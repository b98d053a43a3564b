"""Runs the same command again and again, each time in a process of its own that is forked from this one, so that the
interpreter and the runner are loaded once (a fork server, as that of `multiprocessing`). Nothing of the project is
loaded before the fork: what a run imports, it imports itself.

`python -m maestro_fork_server SOCKET RUNNER ARGUMENTS`. A job is one line of JSON on the socket, and so is its end.
"""
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import sys
import time
from importlib import import_module, util

# Bound now: nothing that a run does reaches this process, but a runner may be loaded that patches as it is imported.
_encode = json.JSONEncoder().encode
_start = os.getcwd()
_SUBREAPER = 36
_mounted = set()


def _pose(runner, arguments):
    """The program is the runner, for whoever asks: `argparse` does, and so does `multiprocessing`."""
    name = "maestro_unittest_probe" if runner == "unittest" else "pytest.__main__"
    try:
        spec = util.find_spec(name)
    except ImportError:
        spec = None
    if spec is None:
        spec = util.find_spec(runner)
    program = type(sys)("__main__")
    program.__spec__, program.__file__ = spec, spec.origin
    sys.modules["__main__"] = program
    sys.argv = [spec.origin] + arguments


def _child(job, runner, arguments):
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    os.chdir(job["directory"])
    if sys.path and sys.path[0] == _start:
        sys.path[0] = job["directory"]
    os.environ["MAESTRO_PROBE_FILE"] = job["records"]
    if job["plan"]:
        os.environ["MAESTRO_PROBE_PLAN"] = job["plan"]
    _pose(runner, arguments)
    if runner == "unittest":
        import unittest

        import maestro_unittest_probe as probe

        argv = ["python -m unittest"] + arguments
        program = unittest.main(module=None, argv=argv, testRunner=probe.Runner, exit=False)
        # A run of no tests proves nothing; pytest has a status of its own for it.
        return 5 if not program.result.testsRun else 0 if program.result.wasSuccessful() else 1
    import pytest

    return int(pytest.main(arguments))


def _run(job, runner, arguments, connection):
    """The exit status of a run; `None` where it took too long, or was killed."""
    until = time.time() + job["limit"]
    child = os.fork()
    if not child:
        status = 70
        try:
            connection.close()
            status = _child(job, runner, arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            status = 1
        finally:
            os._exit(status)
    status = None
    pause = 0.001
    while time.time() < until:
        done, raw = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.WEXITSTATUS(raw) if os.WIFEXITED(raw) else None
            break
        time.sleep(pause)
        pause = min(pause * 1.2, 0.01)
    _clear(child)
    return status


def _clear(child):
    """Whatever a run left running dies with it, and what it left in the sandbox's memory goes: the next finds nothing."""
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        pass
    for _ in range(100):
        strays = _children()
        if not strays:
            break
        for stray in strays:
            try:
                os.kill(stray, signal.SIGKILL)
                os.waitpid(stray, 0)
            except OSError:
                pass
    for place in filter(None, os.environ.get("MAESTRO_FORK_CLEARS", "").split(":")):
        _empty(place)


def _empty(place):
    """Removes what lies in a directory, save what is mounted below it: the environment, for one."""
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        path = os.path.join(place, name)
        if path in _mounted:
            continue
        if any(mount.startswith(path + "/") for mount in _mounted):
            _empty(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            try:
                os.remove(path)
            except OSError:
                pass


def _mounts():
    with open("/proc/self/mountinfo") as file:
        # Spaces and the like stand there in octal.
        return set(
            re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line.split(" ")[4]) for line in file
        )


def _children():
    me = str(os.getpid())
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as file:
                # The command's name may have anything in it, brackets too.
                if file.read().rpartition(")")[2].split()[1] == me:
                    found.append(int(name))
        except (OSError, IndexError):
            pass
    return found


def _load(runner):
    """What every run needs, and what is none of the project's, is imported once."""
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


def main():
    """Takes jobs until the other end of the socket is closed."""
    _mounted.update(_mounts())
    where, runner, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    # What a run leaves running becomes a child of this process, and is found.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    _load(runner)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(where)
    connection.sendall(b"{}\n")
    waiting = b""
    while True:
        select.select([connection], [], [])
        more = connection.recv(65536)
        if not more:
            return
        waiting += more
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            status = _run(json.loads(line.decode("utf-8")), runner, arguments, connection)
            connection.sendall(_encode({"status": status}).encode("utf-8") + b"\n")


if __name__ == "__main__":
    main()
