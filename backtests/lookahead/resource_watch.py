"""Record which resources a strategy uses: files, network, processes, clock, chance.

Cutting candles cannot see a file of future returns, and a clock says something else tomorrow. Each
such reach is noted with the line of the strategy's own code that led to it. Python tells of files
and connections by audit events; of clocks and chance by the calls of its profiler. A library's own
uses (imports, compiled code, time zones) do not count as the strategy's.
"""

from __future__ import annotations

import inspect
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

from mela.settings import REPOSITORY

Kind = Literal["file", "network", "process", "clock", "environment", "chance"]
SAYS: Mapping[Kind, str] = {
    "file": "it reads or writes files",
    "network": "it asks the network",
    "process": "it runs or asks other processes",
    "clock": "it asks the clock",
    "environment": "it reads environment variables",
    "chance": "it draws numbers without a seed",
}
EVENTS: Mapping[str, Kind] = {
    "open": "file",
    "os.listdir": "file",
    "os.scandir": "file",
    "sqlite3.connect": "file",
    "socket.connect": "network",
    "socket.getaddrinfo": "network",
    "socket.gethostbyname": "network",
    "socket.sendto": "network",
    "socket.bind": "network",
    "urllib.Request": "network",
    "subprocess.Popen": "process",
    "os.system": "process",
    "os.posix_spawn": "process",
    "os.exec": "process",
    "os.fork": "process",
}
CLOCKS = frozenset(
    {("time", name) for name in ("time", "time_ns", "localtime", "gmtime", "ctime")}
    | {("time", name) for name in ("monotonic", "monotonic_ns", "perf_counter", "process_time")}
    | {("time", "perf_counter_ns"), ("time", "clock_gettime"), ("time", "strftime")}
    | {("datetime", name) for name in ("now", "utcnow", "today")}
)
CHANCES = frozenset({"urandom", "getrandbits", "random", "getrandom"})
CODE = frozenset({".py", ".pyc", ".pyi", ".so", ".nbi", ".nbc", ".pth", ".zip"})
ROOMS = ("mela", "execution", "backtests", "sources", "replay", "warehouse", "messaging")
ROOMS_ABOVE = ("services", "streaming", "stack", "cli", "regression")
SYSTEM = (
    "/usr/lib",
    "/usr/share/zoneinfo",
    "/proc/",
    "/sys/",
    "/dev/null",
    "/dev/urandom",
    "/etc/",
)
FOR_ITSELF = ("numba", "llvmlite", "zoneinfo", "linecache", "tokenize", "inspect", "warnings")
TYPED = ("<doctest", "<ipython", "<stdin")  # code that somebody typed, and no library made
MOST = 20  # reaches kept


@dataclass(frozen=True, slots=True)
class Reach:
    """One thing outside its candles that a strategy reached for, and the line that did.

    what: a path, a host, a function; file, line: in the strategy's own code
    """

    kind: Kind
    what: str
    file: str
    line: int
    at_load: bool = False

    def sentence(self) -> str:
        """Return it as people read it."""
        when = "while it is loaded" if self.at_load else "while it decides"
        return f"{SAYS[self.kind]} {when}: {self.what} ({Path(self.file).name}, line {self.line})"


class Watch:
    """Notes what the code of a strategy reaches for.

    own: files and folders that hold the strategy's code, wherever they lie
    """

    def __init__(self, own: Collection[Path] = (), *, at_load: bool = False) -> None:
        self.reaches: dict[Reach, None] = {}
        self.exempt = 0  # opens that a library made for itself, imports left out
        self.lines: dict[CodeType, set[int]] = {}
        self._own = tuple(str(path) for path in own)  # folders match what lies in them
        self._at_load = at_load

    def is_users(self, file: str) -> bool:
        """Tell whether a file is of the strategy, and not of Python, a library or Mela."""
        if file.startswith("<"):
            return file.startswith(TYPED)
        return self.is_own(file) or not _is_library(file)

    def is_own(self, path: str) -> bool:
        """Tell whether a path lies where the strategy's code does."""
        return _is_under(path, self._own)

    def place(self, frame: FrameType | None) -> FrameType | None:
        """Return the frame of the strategy that led here; None where a library did for itself."""
        while frame is not None:
            file = frame.f_code.co_filename
            if self.is_users(file):
                return frame
            if "importlib" in file or _module_of(frame).partition(".")[0] in FOR_ITSELF:
                return None
            frame = frame.f_back
        return None

    def on_event(self, event: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """Take an audit event."""
        kind = EVENTS[event]
        what = args[0] if args else ""
        if event in ("socket.connect", "socket.sendto", "socket.bind"):
            what = args[1]
        if kind == "file":
            if isinstance(what, int) or what is None:
                return
            path = os.path.abspath(os.fsdecode(what))  # noqa: PTH100  no link is followed
            is_by_author = frame is not None and self.is_users(frame.f_code.co_filename)
            is_code = Path(path).suffix in CODE and not is_by_author
            is_systems = path.startswith(SYSTEM) or _is_under(path, _library_roots())
            is_for_itself = is_code or (is_systems and not is_by_author and not self.is_own(path))
            if is_for_itself or (self._at_load and not _is_read(event, args)):
                self.exempt += not _is_import(frame)
                return
            what = path
        place = self.place(frame)
        if place is None:
            self.exempt += kind == "file" and not _is_import(frame)
            return
        self._note(kind, str(what), place)

    def called(self, frame: FrameType, function: Any) -> None:
        """Take a call of a function that is not written in Python."""
        name = getattr(function, "__name__", "")
        owner = getattr(function, "__self__", None)
        module = getattr(function, "__module__", None) or getattr(owner, "__module__", None)
        if isinstance(module, str) and (module, name) in CLOCKS:
            is_direct = self.is_users(frame.f_code.co_filename)
            place = frame if is_direct else self.place(frame) if module == "datetime" else None
            if place is not None:
                self._note("clock", f"{module}.{name}", place)
        elif name in CHANCES:
            place = self.place(frame)
            if place is not None:
                self._note("chance", name, place)

    def asked_environment(self, key: str, frame: FrameType | None) -> None:
        """Take a look at an environment variable, by the strategy itself."""
        while frame is not None and _module_of(frame) in ("os", "collections.abc"):
            frame = frame.f_back
        if frame is not None and self.is_users(frame.f_code.co_filename):
            self._note("environment", key, frame)

    def passed(self, frame: FrameType) -> None:
        """Take a line of the strategy that was executed."""
        self.lines.setdefault(frame.f_code, set()).add(frame.f_lineno)

    def _note(self, kind: Kind, what: str, frame: FrameType) -> None:
        if len(self.reaches) < MOST:
            file = frame.f_code.co_filename
            self.reaches[Reach(kind, what, file, frame.f_lineno, self._at_load)] = None


_watching: Watch | None = None
_is_installed = False


def _caller() -> FrameType | None:
    frame = inspect.currentframe()
    return frame.f_back.f_back if frame and frame.f_back else None


def _audit(event: str, args: tuple[Any, ...]) -> None:
    global _watching
    watch = _watching
    if watch is None or event not in EVENTS:
        return
    _watching = None  # what is done here to find out is no reach
    try:
        watch.on_event(event, args, _caller())
    finally:
        _watching = watch


@contextmanager
def watching(watch: Watch, *, calls: bool = False) -> Generator[Watch]:
    """Note what is reached for meanwhile. The hook stays in this process, and rests afterwards.

    calls: look at each call and line too, which is slow
    """
    global _watching, _is_installed
    if not _is_installed:
        sys.addaudithook(_audit)
        _watch_environment()
        _is_installed = True
    before, _watching = _watching, watch
    if calls:
        sys.setprofile(_profiler(watch))
        sys.settrace(_tracer(watch))
    try:
        yield watch
    finally:
        if calls:
            sys.setprofile(None)
            sys.settrace(None)
        _watching = before


def _profiler(watch: Watch) -> Callable[[FrameType, str, Any], None]:
    def profile(frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            watch.called(frame, arg)

    return profile


def _tracer(watch: Watch) -> Callable[[FrameType, str, Any], Any]:
    def line(frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            watch.passed(frame)
        return line

    def call(frame: FrameType, _event: str, _arg: Any) -> Any:
        return line if watch.is_users(frame.f_code.co_filename) else None

    return call


def _watch_environment() -> None:
    """Have os.environ say who looks at it: its class, as a strategy may hold it by another name."""
    environment: Any = type(os.environ)
    look, names = environment.__getitem__, environment.__iter__

    def getitem(self: Any, key: Any) -> Any:
        if _watching is not None:
            _watching.asked_environment(str(key), _caller())
        return look(self, key)

    def iterate(self: Any) -> Any:
        if _watching is not None:
            _watching.asked_environment("all of them", _caller())
        return names(self)

    environment.__getitem__, environment.__iter__ = getitem, iterate


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def own_places(function: Callable[..., Any]) -> tuple[Path, ...]:
    """Return where a strategy's code lies: its file, or the folder of its top-level package."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return ()
    file = Path(code.co_filename)
    depth = str(function.__module__).count(".")
    if function.__module__.startswith("backtests.strategies.") or depth == 0:
        return (file,)
    folder = file.parents[depth - 1] if depth <= len(file.parents) else file.parent
    return (file,) if _is_under(str(REPOSITORY), (str(folder),)) else (folder, file)


@lru_cache(maxsize=4096)
def _is_library(file: str) -> bool:
    if _is_under(file, (str(REPOSITORY / "backtests" / "strategies"),)):
        return False
    rooms = tuple(str(REPOSITORY / room) for room in ROOMS + ROOMS_ABOVE)
    return _is_under(file, _library_roots() + rooms)


@lru_cache(maxsize=1)
def _library_roots() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), str(Path(sys.prefix) / "lib")}
    paths |= {str(Path(sys.base_prefix) / "lib"), str(Path(os.__file__).parent)}
    return tuple(sorted(path for path in paths if path))


def _is_under(path: str, roots: Collection[str]) -> bool:
    return any(path == root or path.startswith(f"{root}{os.sep}") for root in roots)


def _is_read(event: str, args: tuple[Any, ...]) -> bool:
    """Tell whether a file is opened to be read: what is only written tells nothing."""
    if event != "open":
        return True
    mode = args[1]
    return "r" in mode or "+" in mode if isinstance(mode, str) else not args[2] & os.O_WRONLY
