"""Find strategies: the files of our own folder, and packages that name an entry point.

Nothing is executed here. Source is read once, and what was read is what is compiled and what its
digest is of, however often the file is edited meanwhile.
"""

from __future__ import annotations

import importlib
import itertools
import os
import site
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PathDistribution
from pathlib import Path

GROUP = "mela.strategies"
OURS = frozenset({"mela", "backtests", "sources", "warehouse", "streaming", "stack", "cli"})
YOUNG_NS = 50_000_000  # a file edited twice within a tick of the clock looks as if edited once
Stamp = tuple[int, ...]
_never_the_same = itertools.count()


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module's file and what was read of it."""

    path: Path
    raw: bytes
    is_package: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry point of the group, and the distribution that it comes with."""

    name: str
    value: str
    distribution: str

    @property
    def origin(self) -> str:
        """Return how messages call it."""
        return f"package {self.distribution} (entry point {self.name} = {self.value})"

    @property
    def module(self) -> str:
        """Return the module that registers."""
        return self.value.partition(":")[0].strip()

    @property
    def root(self) -> str:
        """Return the top-level package, whose modules are read and loaded together."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Found:
    """Everything that was read. Equal ones register the same.

    own: our modules; entries: in the order in which they are loaded
    packages: root → its modules; errors: root → why there are none
    """

    own: Mapping[str, ModuleSource] = field(default_factory=dict[str, ModuleSource])
    entries: tuple[Entry, ...] = ()
    packages: Mapping[str, Mapping[str, ModuleSource]] = field(
        default_factory=dict[str, Mapping[str, ModuleSource]]
    )
    errors: Mapping[str, str] = field(default_factory=dict[str, str])


class Watch:
    """Reads strategies' sources, and tells at little cost whether any may have changed."""

    def __init__(self, package: str, folder: Path) -> None:
        self._package = package
        self._folder = folder
        self._stamps: dict[str, Stamp] | None = None
        self._places: dict[str, tuple[Path, ...]] = {}  # each package's folders, or its one file
        self._listed: dict[str, tuple[Stamp, tuple[Entry, ...]]] = {}  # by metadata file
        self._links: dict[str, Stamp] = _links()

    def read(self, *, packages: bool) -> Found | None:
        """Return what stands in the files now, or None where nothing changed since.

        packages: whether to look for entry points too, or for our own files alone
        """
        stamps = self._stamp_all(packages=packages)
        if stamps == self._stamps:
            return None
        entries = self._entries() if packages else ()
        places: dict[str, tuple[Path, ...]] = {}
        modules: dict[str, dict[str, ModuleSource]] = {}
        errors: dict[str, str] = {}
        for root in dict.fromkeys(entry.root for entry in entries):
            try:
                places[root] = _places_of(root)
                modules[root] = _modules_of(root, places[root])
            except (ImportError, ValueError, OSError) as error:
                errors[root] = f"{type(error).__name__}: {error}"
        own = _modules_in(self._package, self._folder, deep=False)
        # These stamps are older than what was read, so that an edit in between is seen the next
        # time; what was found only now has none yet, and is read again then.
        complete = self._stamp_all(packages=packages).keys() == stamps.keys()
        self._stamps = stamps if complete and places == self._places else None
        self._places = places
        return Found(own, entries, modules, errors)

    def _stamp_all(self, *, packages: bool) -> dict[str, Stamp]:
        stamps = _stamps_in(self._folder, deep=False)
        if packages:
            stamps |= {f"path {place}": _stamp(place or ".") for place in sys.path}
            stamps |= {file: _stamp(file) for file, (_, entries) in self._listed.items() if entries}
            for place in itertools.chain.from_iterable(self._places.values()):
                stamps |= _stamps_in(place, deep=True)
        return stamps

    def _entries(self) -> tuple[Entry, ...]:
        """Return the entry points of all places on sys.path, the first of each distribution."""
        self._follow_new_links()
        listed: dict[str, tuple[Stamp, tuple[Entry, ...]]] = {}
        first: dict[str, tuple[Entry, ...]] = {}
        for place in sys.path:
            for file in _metadata_files(place or "."):
                stamp = _stamp(file)
                kept = self._listed.get(file)
                listed[file] = kept if kept and kept[0] == stamp else (stamp, _entries_of(file))
                for entry in listed[file][1][:1]:
                    first.setdefault(entry.distribution, listed[file][1])
        self._listed = listed
        found = set(itertools.chain.from_iterable(first.values()))
        return tuple(sorted(found, key=lambda one: (one.distribution, one.name, one.value)))

    def _follow_new_links(self) -> None:
        """Take up .pth files that came since this process began: of packages installed editably."""
        links = _links()
        importlib.invalidate_caches()  # such a file may import what came with it
        for file, stamp in links.items():
            if self._links.get(file) != stamp:
                folder, name = os.path.split(file)
                site.addpackage(folder, name, None)
        self._links = links


def _links() -> dict[str, Stamp]:
    folders = {*site.getsitepackages(), site.getusersitepackages()}
    return {
        str(file): _stamp(file) for folder in folders for file in sorted(Path(folder).glob("*.pth"))
    }


def _metadata_files(place: str) -> Iterator[str]:
    try:
        folders = sorted(Path(place).iterdir())
    except OSError:  # no folder: a zip file, or not there
        return
    for folder in folders:
        if folder.suffix in {".dist-info", ".egg-info"}:
            file = folder / "entry_points.txt"
            if file.is_file():
                yield str(file)


def _entries_of(file: str) -> tuple[Entry, ...]:
    text = Path(file).read_bytes()
    if GROUP.encode() not in text:
        return ()
    name = Path(file).parent.name.rpartition(".")[0]
    try:
        distribution = PathDistribution(Path(file).parent)
        name = distribution.metadata["Name"] or name
        found = distribution.entry_points.select(group=GROUP)
        return tuple(Entry(each.name, each.value, name) for each in found)
    except Exception:  # noqa: BLE001 - a file of any package, whoever wrote it, stops no other
        return (Entry(name, "", name),)  # which no module is called


def _places_of(root: str) -> tuple[Path, ...]:
    """Return the folders of a top-level package, or its one file, without executing any of it."""
    if not root.isidentifier():
        raise ValueError(
            f"expected NAME = package.module in its entry_points.txt, but found {root!r}"
        )
    if root in OURS or root in sys.stdlib_module_names:
        raise ValueError(
            f"its entry point must name a module of its own package, but found {root!r}"
        )
    importlib.invalidate_caches()
    # Ours would answer with the place where it was read before
    finders = [finder for finder in sys.meta_path if not hasattr(finder, "sources")]
    found = (finder.find_spec(root, None) for finder in finders)
    spec = next((spec for spec in found if spec is not None), None)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {root!r} is on the Python path")
    if spec.submodule_search_locations is not None:
        return tuple(Path(place) for place in spec.submodule_search_locations)
    if not (spec.origin or "").endswith(".py"):
        raise ImportError(f"expected Python source for {root}, but found {spec.origin}")
    return (Path(str(spec.origin)),)


def _modules_of(root: str, places: tuple[Path, ...]) -> dict[str, ModuleSource]:
    modules: dict[str, ModuleSource] = {}
    for place in places:
        if place.suffix == ".py":
            modules[root] = ModuleSource(place, place.read_bytes())
        else:
            modules |= _modules_in(root, place, deep=True)
    return modules


def _modules_in(package: str, folder: Path, *, deep: bool) -> dict[str, ModuleSource]:
    """Return the modules of a folder by their full names.

    deep: with the package's own `__init__` and those below; else neither, nor any that begins `_`
    """
    modules: dict[str, ModuleSource] = {}
    for file in _files_in(folder, deep=deep):
        parts = (package, *file.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            modules[".".join(parts[:-1])] = ModuleSource(file, file.read_bytes(), is_package=True)
        else:
            modules[".".join(parts)] = ModuleSource(file, file.read_bytes())
    return modules


def _files_in(folder: Path, *, deep: bool) -> list[Path]:
    return [Path(path) for path in sorted(_stamps_in(folder, deep=deep))]


def _stamps_in(place: Path | str, *, deep: bool) -> dict[str, Stamp]:
    """Return the Python files of a folder, or the one that it is, each with its stamp."""
    try:
        inside = list(os.scandir(place))
    except NotADirectoryError:
        return {str(place): _stamp(place)}
    except OSError:  # gone meanwhile
        return {}
    stamps: dict[str, Stamp] = {}
    for item in inside:
        if item.name.endswith(".py") and (deep or not item.name.startswith("_")):
            stamps[item.path] = _stamp(item)
        elif deep and item.is_dir() and item.name.isidentifier() and item.name != "__pycache__":
            stamps |= _stamps_in(item.path, deep=True)
    return stamps


def _stamp(file: Path | str | os.DirEntry[str]) -> Stamp:
    """Return what changes when a file does; of one edited just now, what never comes again."""
    try:
        stat = os.stat(file)  # noqa: PTH116  the quickest, for what is asked before every scene
    except OSError:
        return ()
    if time.time_ns() - stat.st_mtime_ns < YOUNG_NS:
        return (next(_never_the_same),)
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
