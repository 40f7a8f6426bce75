"""Golden scenes: the scenes of both commits, and the packaged candles that they read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mela.candles import Candles
from mela.errors import MelaError
from mela.interval import Interval
from regression.errors import NotCompared
from replay.series import PACKAGED, Catalog, RecordedSeries
from sources.instruments import describe
from sources.resample import finer_interval, resample
from sources.row_validation import Rows, validate_rows

FOLDER = Path("backtests") / "scenes"
COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
SOURCES = {"binance": ["binance"], "yahoo": ["lean-equity"]}


@dataclass(frozen=True, slots=True)
class GoldenScene:
    """A golden scene.

    note: how the two commits differ in it, if they do
    """

    name: str
    document: Mapping[str, Any]
    note: str | None = None

    @property
    def strategy(self) -> str:
        """Return the name of its strategy; empty if the scene is not written in the usual form."""
        chosen = self.document.get("strategy")
        return str(chosen.get("name", "")) if isinstance(chosen, Mapping) else ""

    @property
    def series(self) -> list[tuple[str, str]]:
        """Return the candle series that it reads: (instrument, interval)."""
        names = self.document.get("instruments") or ()
        return [(str(name), str(self.document.get("interval"))) for name in names]


def golden_scenes(base: Path, head: Path, pattern: str = "*") -> list[GoldenScene]:
    """Return the scenes of both trees by name: HEAD's scenes, and BASE's version of changed ones.

    A scene that HEAD edited or removed is also run as BASE had it, so that an edited scene cannot
    hide a number that moved. Raises NotCompared.
    """
    after, before = _read(head), _read(base)
    found: list[GoldenScene] = []
    for name, document in after.items():
        old = before.get(name)
        is_new = bool(before) and old is None
        found.append(GoldenScene(name, document, "new in HEAD" if is_new else None))
        if old is not None and old != document:
            found.append(GoldenScene(f"{name}@BASE", old, "edited in HEAD, here as BASE asks it"))
    removed = [GoldenScene(name, old, "removed in HEAD") for name, old in before.items()]
    found += [one for one in removed if one.name not in after]
    chosen = [one for one in found if fnmatchcase(one.name, pattern)]
    if not chosen:
        raise NotCompared(
            f"expected golden scenes in {FOLDER}/*.yaml that {pattern!r} fits, but found none of "
            f"{len(found)}"
        )
    return sorted(chosen, key=lambda one: one.name)


def write_candles(scenes: Iterable[GoldenScene], folder: Path) -> dict[str, dict[str, str]]:
    """Write the candles that scenes read; return file and calendar by `instrument interval`.

    Raises NotCompared for a series without packaged candles.
    """
    written: dict[str, dict[str, str]] = {}
    for scene in scenes:
        for instrument, word in scene.series:
            key = f"{instrument} {word}"
            if key in written:
                continue
            try:
                candles = packaged_candles(instrument, Interval(word))
            except (ValueError, MelaError) as error:
                raise NotCompared(f"golden scene {scene.name}: {error}") from error
            file = folder / f"series_{len(written)}.npz"
            np.savez(file, **{name: getattr(candles, name) for name in COLUMNS})
            written[key] = {"file": str(file), "calendar": candles.calendar}
    return written


@lru_cache(maxsize=32)
def packaged_candles(instrument: str, interval: Interval) -> Candles:
    """Return the packaged candles of an instrument, resampled from shorter ones if necessary.

    Prices are unadjusted, as in the files. Raises NotCompared or SourceRefused.
    """
    known = describe(instrument)
    sources = SOURCES.get(known.venue, [])
    catalog = Catalog(PACKAGED)
    offered = [each for source in sources for each in catalog.intervals_of(known.symbol, source)]
    if not offered:
        raise NotCompared(
            f"no candles of {instrument} are packaged; there are those of "
            f"{', '.join(catalog.symbols())}"
        )
    finer = interval if interval in offered else finer_interval(interval, offered)
    series = catalog.find(known.symbol, finer.value, sources)
    assert series is not None  # noqa: S101  it was offered
    rows = _closed(series, finer)
    if finer is not interval:
        rows = resample(rows, finer, interval, series.calendar).rows
    prices = (np.ascontiguousarray(getattr(rows, name)) for name in COLUMNS[1:])
    opens, highs, lows, closes, volumes = prices
    return Candles(
        *(interval, rows.opened_ms, opens, highs, lows, closes, volumes),
        calendar=series.calendar,
        about=known,
    )


def _closed(series: RecordedSeries, interval: Interval) -> Rows:
    """Return the candles of a file except the last, which had not closed yet."""
    columns = (series.columns[name] for name in COLUMNS[1:])
    ends = np.array([interval.end_ms(int(at)) for at in series.opened_ms], dtype=np.int64)
    rows, _ = validate_rows(Rows(series.opened_ms, ends, *columns))
    return rows.where(np.arange(len(rows)) < len(rows) - 1)


def _read(tree: Path) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted((tree / FOLDER).glob("*.yaml")):
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            why = " ".join(str(error).split())
            raise NotCompared(f"{FOLDER / file.name} is not YAML: {why}") from error
        if not isinstance(document, Mapping):
            raise NotCompared(f"{FOLDER / file.name} must hold a scene's fields")
        found[file.stem] = json.loads(json.dumps(document, default=lambda at: at.isoformat()))
    return found
