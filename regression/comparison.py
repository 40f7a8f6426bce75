"""`mela compare` from start to end: two commits, their golden scenes in turns, one report."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mela.settings import Settings
from regression.commits import HERE, Tree, changed_files, repository_of, tree_of
from regression.decision import walked_forward
from regression.differences import SceneCompared, compare_scenes
from regression.environments import environment_of
from regression.evidence import DetailedRun, Side
from regression.golden import golden_scenes, write_candles
from regression.markdown import has_passed, report
from regression.sides import SideProcess, ask_both, forget_old
from regression.speed import ratios

MOST_PICTURES = 6


def report_on(
    base: str,
    head: str,
    pattern: str,
    repeats: int,
    file: Path | None,
    *,
    tell: Callable[[str], None],
) -> tuple[str, bool]:
    """Compare two commits; return the report to print, and whether it passes.

    file: where to write the report, with its pictures beside it; then only its first line is
        returned
    tell: receives progress messages
    Raises NotCompared.
    """
    found, sides = _compared(base, head, pattern, repeats, tell)
    pictures: dict[str, str] = {}
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        pictures = _drawn(found, file.parent)
    text = report(found, *sides, ratios(*sides), pictures)
    if file is not None:
        file.write_text(text, encoding="utf-8")
        text = text.partition("\n")[0] + "\n"
    return text, has_passed(found)


def _compared(
    base: str, head: str, pattern: str, repeats: int, tell: Callable[[str], None]
) -> tuple[list[SceneCompared], tuple[Side, Side]]:
    repository = repository_of(Path.cwd())
    home = Settings().home / "compare"
    with tempfile.TemporaryDirectory(prefix="mela-compare-") as named:
        work = Path(named).resolve()
        with (
            tree_of(repository, base, work / "base") as was,
            tree_of(repository, head, work / "head") as now,
        ):
            if HERE not in (base, head) and changed_files(repository):
                tell(f"changes that are not committed are left out; {HERE} names them")
            golden = golden_scenes(was.folder, now.folder, pattern)
            series = write_candles(golden, work)
            processes = tuple(_process(tree, series, home, work) for tree in (was, now))
            sides = ask_both((processes[0], processes[1]), golden, repeats=repeats, tell=tell)
            forget_old(home)
    return compare_scenes(golden, *sides), sides


def _process(tree: Tree, series: dict[str, dict[str, str]], home: Path, work: Path) -> SideProcess:
    environment = environment_of(tree.folder, home / "environments")
    folder = Path(tempfile.mkdtemp(dir=work))
    return SideProcess(tree, environment, series, home, folder)


def _drawn(found: Sequence[SceneCompared], to: Path) -> dict[str, str]:
    """Write pictures of the equity curves that moved, the farthest first; return title → file."""
    from regression.picture import both_curves  # loads matplotlib

    for old in to.glob("equity-*.png"):
        old.unlink()
    files: dict[str, str] = {}
    for title, curves in sorted(_curves(found), key=_distance, reverse=True):
        picture = both_curves(title, *curves)
        if picture is None or len(files) == MOST_PICTURES:
            continue
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
        file = f"equity-{len(files) + 1}-{words}.png"
        (to / file).write_bytes(picture)
        files[title] = file
    return files


def _curves(
    found: Sequence[SceneCompared],
) -> Iterator[tuple[str, tuple[DetailedRun, DetailedRun]]]:
    """Yield the curves to plot: a search's walk-forward if there is one, else the scene's runs."""
    for one in found:
        forward = walked_forward(one)
        if forward is not None:
            yield f"{one.scene.name}: walk-forward, out of sample", forward
            continue
        for run in one.runs:
            if run.drawn and run.equity_moved:
                yield f"{one.scene.name}: {run.label}", run.drawn


def _distance(curves: tuple[str, tuple[DetailedRun, DetailedRun]]) -> float:
    """Return how far apart two curves end, as a fraction of the first."""
    ends = [one.equity[-1] for one in curves[1] if one.equity is not None and len(one.equity)]
    return abs(ends[1] / ends[0] - 1.0) if len(ends) == 2 and ends[0] else 0.0
