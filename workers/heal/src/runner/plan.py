"""What a run is made under where it is not the plain one: which tests, in which order, with which seeds, and what
is recorded of them. Without `MAESTRO_PROBE_PLAN` nothing here does anything.

Works on every Python that a run may use (2.7 to 3.14).
"""
import json
import os
import random
import sys
import threading


def belongs(test, name):
    """Whether a test is `name` or lies in it; the engine's own rule."""
    if not test.startswith(name):
        return False
    rest = test[len(name) :]
    return not rest or rest.startswith(("::", "[", "."))


class _Entries(object):
    """What `os.scandir` answers, in another order."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def close(self):
        return None


class Plan(object):
    """The conditions of this run. `emit` writes a record."""

    def __init__(self, emit):
        self._emit = emit
        self._lines = {}
        self._before = None
        self._root = os.getcwd()
        text = "{}"
        if os.environ.get("MAESTRO_PROBE_PLAN"):
            with open(os.environ["MAESTRO_PROBE_PLAN"]) as file:
                text = file.read()
        conditions = json.loads(text)
        self._only = conditions.get("only") or []
        self._files = set(test.partition("::")[0] for test in self._only) if conditions.get("narrow") else None
        self._order = conditions.get("order") or "given"
        self._seed = conditions.get("seed")
        self._listing = conditions.get("listing")
        self._watch = conditions.get("watch")
        self._trace = conditions.get("trace") or []
        self._sow()

    def arrange(self, items, name):
        """The items to run, in their order, and those left out; `name` gives an item's id."""
        kept = [item for item in items if self._place(name(item)) is not None] if self._only else list(items)
        left = [item for item in items if item not in kept] if self._only else []
        if self._order == "reversed":
            kept.reverse()
        elif self._order == "listed":
            kept.sort(key=lambda item: self._place(name(item)))
        elif isinstance(self._order, dict):
            random.Random(self._order["shuffled"]).shuffle(kept)
        return kept, left

    def leaves_out(self, path):
        """Whether nothing of a file is asked for; its path is relative to the directory of the run."""
        return self._files is not None and path not in self._files

    def _place(self, test):
        for index, name in enumerate(self._only):
            if belongs(test, name):
                return index
        return None

    def begin(self, test):
        """A test is about to be set up."""
        self._sow()
        if self._listing is not None:
            self._disorder()
        if self._watch:
            import maestro_state

            self._before = maestro_state.settled(self._root)
        if any(belongs(test, name) for name in self._trace) and sys.gettrace() is None:
            threading.settrace(self._tracer)
            sys.settrace(self._tracer)

    def end(self, test):
        """A test has been torn down."""
        if self._trace and sys.gettrace() == self._tracer:
            sys.settrace(None)
            threading.settrace(None)
        if self._before is not None:
            import maestro_state

            changes = maestro_state.left(self._before, self._root)
            self._before = None
            self._emit(kind="state", test=test, changes=changes)
        if self._listing is not None:
            os.listdir, os.scandir = self._kept

    def finish(self):
        """All tests have run."""
        for path in sorted(self._lines):
            if self._lines[path]:
                self._emit(kind="lines", path=path, lines=sorted(self._lines[path]))

    def _sow(self):
        if self._seed is None:
            return
        random.seed(self._seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None and hasattr(numpy, "random"):
            numpy.random.seed(self._seed)

    def _disorder(self):
        # No documentation promises an order of a directory's entries, so any order is a lawful one.
        listdir, scandir = self._kept = os.listdir, getattr(os, "scandir", None)
        chance = random.Random(self._listing)

        def mixed(entries, key):
            entries = sorted(entries, key=key)
            if self._listing:
                chance.shuffle(entries)
            return entries

        def other_listdir(*args, **kwargs):
            return mixed(listdir(*args, **kwargs), None)

        def other_scandir(*args, **kwargs):
            with scandir(*args, **kwargs) as entries:
                return _Entries(mixed(entries, lambda entry: entry.name))

        os.listdir = other_listdir
        if scandir is not None:
            os.scandir = other_scandir

    def _tracer(self, frame, event, arg):
        path = frame.f_code.co_filename
        if path not in self._lines:
            inside = os.path.abspath(path).startswith(self._root + os.sep)
            self._lines[path] = set() if inside and "site-packages" not in path else None
        lines = self._lines[path]
        if lines is None:
            return None

        def each(frame, event, arg):
            if event == "line":
                lines.add(frame.f_lineno)
            return each

        return each
