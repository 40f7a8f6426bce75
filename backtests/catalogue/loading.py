"""Strategies from source to catalogue, again whenever a file or an installed package changed.

Everything is loaded anew on a change, in one order, so that a process that saw many edits and one
that has just begun hold the same. A file that fails is left out and remembered with its error; the
others stay. Readers of the catalogue never see it half-way.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numba

from backtests.catalogue.files import Entry, Found, ModuleSource, Watch
from backtests.printing import printing_to_stderr
from backtests.strategy import (
    BROKEN,
    REGISTERED,
    STAGE,
    Broken,
    Catalogue,
    Strategy,
    covering,
    source_digest,
)

OWN = "backtests.strategies"
FOLDER = Path(__file__).parents[1] / "strategies"


class _Loader(SourceFileLoader):
    """Compiles what was read, not what stands in the file by now, nor what `__pycache__` keeps."""

    def __init__(self, name: str, source: ModuleSource) -> None:
        super().__init__(name, str(source.path))
        self._source = source

    def get_data(self, path: str | Path) -> bytes:
        return self._source.raw if Path(path) == self._source.path else super().get_data(str(path))

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self._source.raw, str(self._source.path))


class _Finder(MetaPathFinder):
    """Finds the modules that were read, before anybody looks for their files."""

    def __init__(self) -> None:
        self.sources: Mapping[str, ModuleSource] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        source = self.sources.get(fullname)
        if source is None:
            return None
        folders = [str(source.path.parent)] if source.is_package else None
        return spec_from_file_location(
            fullname,
            source.path,
            loader=_Loader(fullname, source),
            submodule_search_locations=folders,
        )


class Shelf:
    """Keeps the catalogue as the files are."""

    def __init__(self) -> None:
        self._watch = Watch(OWN, FOLDER)
        self._found = Found()
        self._finder = _Finder()
        self._lock = threading.Lock()
        self._snapshot = Catalogue({}, {})
        sys.meta_path.insert(0, self._finder)

    def refresh(self, *, packages: bool = True) -> Catalogue:
        """Load what changed; return the strategies as they stand now, whatever comes later."""
        with self._lock:
            found = self._watch.read(packages=packages)
            if found is not None and found != self._found:
                self._load(found)
            if not self._is_current():  # loaded just now, or registered by a call
                self._snapshot = Catalogue(dict(REGISTERED), dict(BROKEN))
            return self._snapshot

    def _is_current(self) -> bool:
        snapshot = self._snapshot
        return snapshot.broken == tuple(BROKEN[key] for key in sorted(BROKEN)) and (
            len(snapshot) == len(REGISTERED)
            and all(snapshot.get(name) is one for name, one in tuple(REGISTERED.items()))
        )

    def _load(self, found: Found) -> None:
        before = dict(REGISTERED)
        loaded = {*self._found.own, *found.own}
        roots = {*self._found.packages, *found.packages}
        self._found = found
        self._finder.sources = {
            name: source
            for modules in (found.own, *found.packages.values())
            for name, source in modules.items()
        }
        for name in list(sys.modules):
            if name in loaded or (name.partition(".")[0] in roots and _is_source(name)):
                del sys.modules[name]
        invalidate_caches()
        # What nobody's file registers (a test, a notebook) stays
        stage = {
            name: one
            for name, one in before.items()
            if one.signals.__module__ not in loaded
            and one.signals.__module__.partition(".")[0] not in roots
        }
        with printing_to_stderr():
            broken = dict(self._load_all(found, stage, before))
        stage.update(covering(stage))
        for name in before.keys() - stage.keys():
            del REGISTERED[name]
        REGISTERED.update(stage)
        for origin in BROKEN.keys() - broken.keys():
            del BROKEN[origin]
        BROKEN.update(broken)

    def _load_all(
        self, found: Found, stage: dict[str, Strategy], before: Mapping[str, Strategy]
    ) -> Iterator[tuple[str, Broken]]:
        digests = {root: _digest_of(modules) for root, modules in found.packages.items()}
        known = {**before, **{one.name: one for broken in BROKEN.values() for one in broken.last}}

        def digest_of(module: str) -> str:
            if module in found.own:
                return source_digest(decode_source(found.own[module].raw))
            return digests[module.partition(".")[0]]

        token = STAGE.set((stage, digest_of))
        try:
            for module in sorted(found.own):
                fault = _import(module, stage)
                if fault:
                    name = module.rpartition(".")[2]
                    origin = f"{found.own[module].path.parent.name}/{name}.py"
                    yield origin, _broken(origin, name, module, fault, stage, known)
            for entry in found.entries:
                fault = found.errors.get(entry.root)
                if not fault:
                    with _numba_cache_of(found.packages[entry.root], digests[entry.root]):
                        fault = _import(entry.module, stage, entry)
                if fault:
                    yield (
                        entry.origin,
                        _broken(entry.origin, entry.name, entry.module, fault, stage, known),
                    )
        finally:
            STAGE.reset(token)


def _import(module: str, stage: dict[str, Strategy], entry: Entry | None = None) -> str | None:
    """Import a module that should register; return what is wrong, or None."""
    try:
        imported = import_module(module)
        mine = [one.signals for one in stage.values() if one.signals.__module__ == module]
        if entry is not None and ":" in entry.value:
            attribute = entry.value.partition(":")[2].strip()
            if not hasattr(imported, attribute):
                return f"{module} has no {attribute}"
            mine = [one.signals for one in stage.values()]
            if getattr(imported, attribute) not in mine:
                return f"{attribute} is no strategy; write @strategy(…) above it"
        if entry is not None and not mine:
            root = module.partition(".")[0]
            mine = [one for one in stage.values() if _root(one) == root]
        if not mine:
            return "it registers no strategy; write @strategy(…) above a function"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is anybody's code
        return _error_text(error)
    return None


def _broken(
    origin: str,
    name: str,
    module: str,
    fault: str,
    stage: dict[str, Strategy],
    known: Mapping[str, Strategy],
) -> Broken:
    """Take out what a broken module had registered before it failed, and remember what it lacks.

    A module that failed is no longer in sys.modules, nor are those that failed with it.
    """
    gone = [key for key, one in stage.items() if one.signals.__module__ not in sys.modules]
    for key in gone:
        del stage[key]
    own = module.startswith(f"{OWN}.")
    last = tuple(
        one
        for one in known.values()
        if (one.signals.__module__ == module if own else _root(one) == module.partition(".")[0])
        and one.signals.__module__ not in sys.modules
        and one.name not in stage
    )
    names = tuple(one.name for one in last) or (name,)
    return Broken(origin, names, fault, last)


def _error_text(error: BaseException) -> str:
    line = ""
    if not isinstance(error, SyntaxError):  # which names its line itself
        frames = traceback.extract_tb(error.__traceback__)
        written = [frame for frame in frames if "importlib" not in frame.filename]
        line = f" ({Path(written[-1].filename).name}, line {written[-1].lineno})" if written else ""
    return f"{type(error).__name__}: {error}{line}"


def _digest_of(modules: Mapping[str, ModuleSource]) -> str:
    """Return the hash of all modules of a package, whatever their line ends."""
    whole = hashlib.sha256()
    for name in sorted(modules):
        text = modules[name].raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        whole.update(b"%s %d\n%s\n" % (name.encode(), len(text), text))
    return whole.hexdigest()


@contextmanager
def _numba_cache_of(modules: Mapping[str, ModuleSource], digest: str) -> Generator[None]:
    """Have compiled functions of a package cached by its digest.

    Numba looks at a function's own file only; one that calls a function of another file would go on
    with that one's old code.
    """
    config: Any = numba.config
    kept = config.CACHE_DIR
    top = min((source.path for source in modules.values()), key=lambda path: len(path.parts))
    config.CACHE_DIR = str(top.parent / "__pycache__" / f"mela-{digest[:16]}")
    try:
        yield
    finally:
        config.CACHE_DIR = kept


def _is_source(module: str) -> bool:
    return str(getattr(sys.modules[module], "__file__", None) or ".py").endswith(".py")


def _root(one: Strategy) -> str:
    return one.signals.__module__.partition(".")[0]


SHELF = Shelf()


def refresh(packages: Path | None = None) -> Catalogue:
    """Load edited, new and newly installed strategies; return all as they stand now.

    packages: a folder to look into after Python's own path, where packages may be installed

    What is returned stays as it is, whatever is edited later. With nothing changed it costs the
    `stat` of each file. Raises nothing for a strategy's fault: `broken` has them.
    """
    if packages is not None and str(packages) not in sys.path:
        sys.path.append(str(packages))  # last, so that nothing there hides what Mela needs
    return SHELF.refresh()
