"""What of a process outlives a test: variables, the working directory, attributes of modules and classes, caches,
files. A `State` is taken before a test and after it; the difference is what the test leaves behind.

Works on every Python that a run may use (2.7 to 3.14). Nothing here may fail a run.
"""
import collections
import gc
import os
import sys
import threading
import types
import weakref

_MOST_ITEMS = 2000
_MOST_FILES = 5000
_DEEPEST = 4
_PLAIN = (bool, int, float, complex, bytes, type(u""), str, type(None))
# Whose state changes with every test: the runner's, the probe's, and the import system's.
_MACHINERY = (
    "_pytest", "pytest", "pluggy", "py", "maestro_", "unittest", "importlib", "_frozen", "sys", "builtins",
    "__builtin__", "linecache", "re", "sre_", "threading", "_thread", "gc", "warnings", "traceback", "tokenize",
    "xdist", "coverage", "__main__", "__future__", "_io", "io", "ast", "weakref", "abc",
)  # fmt: skip


def _is_machinery(name):
    head = name.split(".")[0]
    return head in _MACHINERY or head.startswith(("maestro_", "sre_", "_pytest", "_frozen"))


def _closer(value):
    """The method that gives up what an object holds: a file, a socket, a process pool."""
    if isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return ""
    for name in ("server_close", "close", "shutdown", "terminate"):
        if callable(getattr(value, name, None)):
            return name
    return ""


class State(object):
    """The state at one moment. Objects are held, so that an address stands for one thing only."""

    def __init__(self, root):
        self._root = root
        self._own = set()
        self.cells = {}
        # How many are left in what holds nothing itself: only the garbage collector changes that between two states.
        self.weak = {}
        self._held = []
        self._process()
        self._modules()
        self._files()

    def _put(self, kind, owner, name, value, contents=None, shape=""):
        self.cells[(kind, owner, name)] = (value, contents, shape)

    def _process(self):
        for name in list(os.environ):
            if name != "PYTEST_CURRENT_TEST":
                self._put("variable", "os", name, None, os.environ.get(name))
        try:
            self._put("directory", "os", "", None, os.getcwd())
        except OSError:
            self._put("directory", "os", "", None, "gone")
        self._put("path", "sys", "path", None, tuple(sys.path))
        self._put("arguments", "sys", "argv", None, tuple(sys.argv))
        mask = os.umask(0)
        os.umask(mask)
        self._put("mask", "os", "", None, mask)
        self._put("recursion", "sys", "", None, sys.getrecursionlimit())
        if "locale" in sys.modules:
            self._put("locale", "locale", "", None, sys.modules["locale"].setlocale(sys.modules["locale"].LC_ALL))
        if "socket" in sys.modules:
            self._put("timeout", "socket", "", None, sys.modules["socket"].getdefaulttimeout())
        if "time" in sys.modules:
            self._put("zone", "time", "", None, sys.modules["time"].tzname)
        if "decimal" in sys.modules:
            self._put("decimal", "decimal", "", None, repr(sys.modules["decimal"].getcontext()))
        logging = sys.modules.get("logging")
        if logging is not None:
            self._put("disabled", "logging", "", None, logging.root.manager.disable)
            loggers = dict(logging.root.manager.loggerDict)
            for name, logger in list(loggers.items()) + [("", logging.root)]:
                if isinstance(logger, logging.Logger):
                    self._put("level", "logging", name, None, logger.level)

    def _modules(self):
        modules = [(name, module) for name, module in list(sys.modules.items()) if isinstance(module, types.ModuleType)]
        for name, module in modules:
            path = getattr(module, "__file__", None)
            inside = isinstance(path, str) and os.path.abspath(path).startswith(self._root + os.sep)
            if inside and "site-packages" not in path:
                self._own.add(name)
        for name, module in modules:
            if _is_machinery(name):
                continue
            self._put("module", "sys.modules", name, module)
            own = name in self._own or type(module).__module__ in self._own
            for key, value in list(vars(module).items()):
                if key.startswith("__") or key.startswith("@") or isinstance(value, types.ModuleType):
                    continue
                if own:
                    self._weak(name, key, value)
                    self._put("attribute", name, key, value, self._contents(value), self._shape(value))
                    self._inside(name, key, value)
                else:
                    self._put("attribute", name, key, value)

    def _inside(self, module, key, value):
        """What hangs on a function or a class of the project."""
        if getattr(value, "__module__", None) != module:
            return
        if isinstance(value, types.FunctionType):
            self._function(module, key, value)
        elif hasattr(value, "cache_info") and hasattr(value, "cache_clear"):
            self._put("cache", module, key, None, tuple(value.cache_info())[3])
        elif isinstance(value, type) and value.__name__ == key:
            for name, member in list(vars(value).items()):
                if name.startswith("__") or name.startswith("_abc_") or isinstance(member, types.ModuleType):
                    continue
                path = "%s.%s" % (key, name)
                self._weak(module, path, member)
                self._put("attribute", module, path, member, self._contents(member), self._shape(member))
                if isinstance(member, types.FunctionType):
                    self._function(module, path, member)

    def _weak(self, module, path, value):
        if isinstance(value, (weakref.WeakSet, weakref.WeakValueDictionary, weakref.WeakKeyDictionary)):
            self.weak[(module, path)] = len(value)

    def _function(self, module, path, function):
        defaults = (function.__defaults__, getattr(function, "__kwdefaults__", None))
        self._held.append(defaults)
        self._put("defaults", module, path, None, self._contents(list(defaults)))

    def _files(self):
        seen = 0
        for directory, below, names in os.walk(self._root):
            below[:] = [name for name in below if not name.startswith(".") and name not in ("__pycache__", "node_modules")]
            for name in names:
                seen += 1
                if seen > _MOST_FILES:
                    return
                if name.endswith(".pyc"):
                    continue
                path = os.path.join(directory, name)
                try:
                    found = os.stat(path)
                except OSError:
                    continue
                self._put("file", "", os.path.relpath(path, self._root), None, (found.st_size, found.st_mtime))

    def _shape(self, value):
        for shape, kinds in (
            ("dict", dict), ("list", list), ("set", set), ("deque", collections.deque), ("bytearray", bytearray)
        ):  # fmt: skip
            if isinstance(value, kinds):
                return shape
        if self._holds_state(value):
            return "object"
        return type(value).__name__

    def _holds_state(self, value):
        """Whether what an object is can be told from its attributes: one of the project's, or those of this thread."""
        own = type(value).__module__ in self._own or issubclass(type(value), threading.local)
        return own and hasattr(value, "__dict__") and not isinstance(value, type)

    def _contents(self, value, depth=0):
        """Something that differs when what is in a container differs."""
        if isinstance(value, _PLAIN):
            return value if depth else None
        if depth > _DEEPEST:
            return id(value)
        self._held.append(value)
        if isinstance(value, dict):
            pairs = list(value.items())[:_MOST_ITEMS]
            return tuple((self._contents(k, depth + 1), self._contents(v, depth + 1)) for k, v in pairs)
        if isinstance(value, (list, tuple, collections.deque)):
            return tuple(self._contents(item, depth + 1) for item in list(value)[:_MOST_ITEMS])
        if isinstance(value, (set, frozenset)):
            return frozenset(self._contents(item, depth + 1) for item in list(value)[:_MOST_ITEMS])
        if isinstance(value, bytearray):
            return bytes(value)
        if self._holds_state(value):
            return (id(value), self._contents(vars(value), depth + 1))
        return id(value) if depth else None

    def changes(self, after):
        """What differs in `after`, as records."""
        found = []
        for cell in sorted(set(self.cells) | set(after.cells)):
            old, new = self.cells.get(cell), after.cells.get(cell)
            if old is None:
                how = "added"
            elif new is None:
                how = "removed"
            elif old[0] is not new[0]:
                how = "rebound"
            elif old[1] != new[1]:
                how = "changed"
            else:
                continue
            kind, owner, name = cell
            # A function that gave way to another is a change of the module that held it.
            if kind in ("defaults", "cache") and how != "changed":
                continue
            # What a module brings with it when it is imported is that module, not so many changes.
            if kind not in ("module", "variable", "file") and owner in sys.modules:
                if ("module", "sys.modules", owner) not in self.cells and how == "added":
                    continue
            shape = (old if how != "added" else new)[2]
            path = getattr(sys.modules.get(owner), "__file__", None) if owner in after._own else None
            found.append(
                {
                    "kind": kind,
                    "owner": owner,
                    "name": name,
                    "how": how,
                    "shape": shape,
                    "closer": _closer(new[0]) if new is not None and how in ("added", "rebound") else "",
                    "path": os.path.relpath(path, self._root) if isinstance(path, str) else "",
                }
            )
        return found[:200]


def _at_once(root):
    """The state before the garbage collector runs again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return State(root)
    finally:
        if collects:
            gc.enable()


def settled(root):
    """The state once everything is collected that nobody reaches."""
    gc.collect()
    return _at_once(root)


def left(before, root):
    """What differs from an earlier state, as records. What differs only until the collector runs, whenever that is, is one change of its own."""
    waiting = _at_once(root)
    after = settled(root)
    changes = before.changes(after)
    if waiting.weak != after.weak or waiting.changes(after):
        changes.append(
            {"kind": "garbage", "owner": "gc", "name": "", "how": "added", "shape": "", "closer": "", "path": ""}
        )
    return changes
