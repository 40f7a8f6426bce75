"""Take from this process, and from all that it starts, the files that hold the stack's secrets.

Strategies are anybody's code and run as the user who owns those files. The kernel's Landlock takes
them away: after `confine` neither this process nor a child can open `stack.env`, the supervisor's
configuration or the folders of other services, or look into a process outside of its confinement.
It cannot be undone. Threads that run already are not confined, so it comes first.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import structlog

from mela.settings import REPOSITORY, Settings

log = structlog.get_logger()
OF_THE_JOB = ("spark", "jars", "java", "cache", "packages", "snapshots")
OF_A_WORKER = ("spark/scratch", "spark/work", "jars", "java", "cache", "packages", "snapshots")
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every architecture
_ASK_VERSION, _BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_FOR_FILES = 0b1 | 0b10 | 0b100 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_LIST = 1 << 3
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # by version: how many rights on files it knows
_NEWER = 16


# What root keeps of its capabilities: those over files. With others it could look into processes.
_KEPT_CAPABILITIES = 0b111111  # chown, dac_override, dac_read_search, fowner, fsetid, kill
_CAPABILITIES_VERSION = 0x20080522


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def confine(settings: Settings, kept: Iterable[str] = OF_THE_JOB) -> bool:
    """Confine this process for good; return False where the kernel offers no confinement.

    kept: the folders of the home that stay open, besides the certificate of Kafka's authority; all
        outside of the home stay, but for the secrets of containers in the clone
    """
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE, None, 0, _ASK_VERSION)
    if version < 1:
        log.warning("not_confined", why="this kernel has no Landlock; see docs/security.md")
        return False
    rights = (1 << _RIGHTS.get(version, _NEWER)) - 1
    attributes = _Ruleset(rights)
    ruleset = library.syscall(_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock gave no set of rules")
    try:
        home = settings.home.resolve()
        # Names may be listed everywhere: Python looks through folders for what it imports.
        _allow(library, ruleset, Path("/"), _LIST)
        public = (settings.kafka.ca,) if settings.kafka.ca else ()
        kept_paths = {*(home / name for name in kept), *public}
        for path in _open_paths(Path("/"), _closed(home, kept_paths)):
            _allow(library, ruleset, path, rights)
        if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.syscall(_RESTRICT, ruleset, 0):
            raise OSError(ctypes.get_errno(), "Landlock did not confine this process")
        _drop_capabilities(library)
    finally:
        os.close(ruleset)
    return True


def _drop_capabilities(library: ctypes.CDLL) -> None:
    """Give up what root may do beyond files. Ordinary users have nothing to give up."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    held = (_Capabilities * 2)()
    if library.capget(header, held):
        raise OSError(ctypes.get_errno(), "the kernel did not say what this process may do")
    for index, kept in enumerate((_KEPT_CAPABILITIES, 0)):
        one = held[index]
        one.permitted &= kept
        one.effective &= kept
        one.inheritable = 0
    if library.capset(header, held):
        raise OSError(ctypes.get_errno(), "the kernel did not take capabilities back")


def _closed(home: Path, kept: Collection[Path]) -> set[Path]:
    """Return what is closed: every entry of the home but those kept, and what containers keep."""
    on_the_way = {parent for path in kept for parent in path.parents}
    closed = {REPOSITORY / ".env", home / "stack.env", home / "run"}
    for folder in {home, *(one for one in on_the_way if one.is_relative_to(home))}:
        if folder.is_dir():
            closed |= set(folder.iterdir())
    return closed - set(kept) - on_the_way


def _open_paths(path: Path, closed: set[Path]) -> Iterator[Path]:
    """Yield the largest folders and files that hold nothing closed."""
    if path in closed:
        return
    if not any(one.is_relative_to(path) for one in closed):
        yield path
        return
    try:
        children = sorted(path.iterdir())
    except OSError:
        return  # what cannot be listed cannot be opened either
    for child in children:
        if not child.is_symlink():  # what it leads to has a rule of its own
            yield from _open_paths(child, closed)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it went away, or may not be opened
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = _Beneath(rights if is_folder else rights & _FOR_FILES, descriptor)
        if library.syscall(_ADD, ruleset, _BENEATH, ctypes.byref(rule), 0):
            log.debug("not_opened", path=str(path), errno=ctypes.get_errno())
    finally:
        os.close(descriptor)
