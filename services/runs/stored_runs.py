"""One run of a stored scene: its picture, and its trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import Conflict, InputInvalid, MelaError, NotFound
from mela.metrics import Ranking
from mela.outcome import WITH_METRICS
from mela.result import Trade
from mela.settings import Settings
from services.scenes.stored_scenes import accepted_scene
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.retention import pruned

if TYPE_CHECKING:
    from backtests.charts.picture import Kind
    from services.runs.recompute import Recomputed

Document = dict[str, Any]
BEST = "1"
RANK_DIGITS = 7  # a longer number is the beginning of a run_key
HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class RunPicture:
    """A picture of a run. rank: among the runs of its scene, from 1."""

    content: bytes
    run_key: str
    rank: int


@dataclass(frozen=True, slots=True)
class RunTrades:
    """The trades of a run. result: its document; rank: among the runs of its scene, from 1."""

    result: Document
    rank: int
    trades: tuple[Trade, ...]


def draw_run(scene_id: UUID, settings: Settings, kind: Kind, *, run: str = BEST) -> RunPicture:
    """Return a picture of a stored run, and of a search the map of what it varies.

    The run is executed again on the warehouse's candles, and drawn only if that gives the stored
    answer. run: its rank, or the first digits of its run_key
    Raises NotFound, InputInvalid for a run that has nothing to draw, and Conflict for a result
    that no longer holds.
    """
    from backtests.charts.picture import scene_picture  # loads Plotly and matplotlib
    from backtests.strategies import CATALOGUE

    with transaction(settings) as connection:
        chosen = _chosen(connection, scene_id, run)
        rows = finder.of_scene(connection, scene_id, order_by=chosen.by)
    result = chosen.result
    if len(result["instruments"]) > 1:
        raise InputInvalid(
            "run",
            "no picture shows several instruments on one account; `mela trades` lists its trades.",
        )
    again = _again(result, settings)
    content = scene_picture(
        kind,
        again.outcome,
        again.series[result["instruments"][0]],
        rows=rows,
        paths=chosen.varied,
        metric=chosen.by.metric,
        rank=chosen.rank,
        catalogue=CATALOGUE,
    )
    return RunPicture(content, result["run_key"], chosen.rank)


def trades_of(scene_id: UUID, settings: Settings, *, run: str = BEST) -> RunTrades:
    """Return the trades of a stored run, the oldest first.

    They are read where they are stored, and computed again where they are not.
    run: its rank, or the first digits of its run_key
    Raises as `draw_run` does.
    """
    with transaction(settings) as connection:
        chosen = _chosen(connection, scene_id, run)
        stored = finder.curve(connection, chosen.result["result_key"])
    curve = stored or _again(chosen.result, settings).curve
    return RunTrades(chosen.result, chosen.rank, tuple(curve.trades))


class _Chosen(NamedTuple):
    result: Document
    rank: int
    by: Ranking
    varied: tuple[str, ...]  # paths of the search's space


def _chosen(connection: Connection, scene_id: UUID, run: str) -> _Chosen:
    scene = accepted_scene(connection, scene_id)
    by = scene.ranking
    ranked = finder.ranked_keys(connection, scene_id, by)
    try:
        rank = _rank_of(run, scene_id, ranked)
    except (NotFound, InputInvalid) as error:
        raise _or_pruned(connection, scene_id, run, error) from error
    [result] = finder.of_scene(connection, scene_id, run_key=ranked[rank - 1])
    space = (scene.content.get("search") or {}).get("space", ())
    return _Chosen(result, rank, by, tuple(space))


def _or_pruned(connection: Connection, scene_id: UUID, run: str, error: MelaError) -> MelaError:
    """Return that a run was pruned, where that is why it was not found; else the error."""
    gone = pruned.of_scene(connection, scene_id)
    if gone is None:
        return error
    if run.isdecimal() and len(run) <= RANK_DIGITS:
        return NotFound(f"{error} {gone.sentence}")
    found = pruned.of_key(connection, run) if run and HEX.issuperset(run.lower()) else None
    is_its_own = found is not None and str(scene_id) in found.scene_ids
    return NotFound(found.sentence) if found and is_its_own else error


def _rank_of(run: str, scene_id: UUID, ranked: Sequence[str]) -> int:
    """Return the rank that is meant, by itself or by the first digits of a run_key."""
    if not ranked:
        raise NotFound(
            f"the scene {scene_id} has no results yet; `mela follow` shows its progress."
        )
    if run.isdecimal() and len(run) <= RANK_DIGITS:
        rank = int(run)
        if not 1 <= rank <= len(ranked):
            raise InputInvalid("run", f"expected a rank of 1 to {len(ranked)}, but found {run}.")
        return rank
    if not run or not HEX.issuperset(run.lower()):
        raise InputInvalid(
            "run", f"expected a rank, as 1, or the first digits of a run_key, but found {run!r}."
        )
    fitting = [place for place, key in enumerate(ranked, 1) if key.startswith(run.lower())]
    if not fitting:
        raise NotFound(f"no run of the scene {scene_id} has a run_key that begins with {run}.")
    if len(fitting) > 1:
        raise InputInvalid("run", f"{run} is the beginning of {len(fitting)} run_keys.")
    return fitting[0]


def _again(result: Mapping[str, Any], settings: Settings) -> Recomputed:
    from services.runs.recompute import Changed, recompute  # loads the engine
    from services.strategies.all_strategies import all_strategies

    key = result["run_key"][:12]
    if result["status"] not in WITH_METRICS:
        why = result["error"]["sentence"].rstrip(".") if result["error"] else "it has no equity"
        raise InputInvalid("run", f"the run {key} ended as {result['status']}: {why}.")
    found = recompute(result, settings, CandleReader(settings), all_strategies(settings))
    if isinstance(found, Changed):
        raise Conflict(
            f"the run {key} would look otherwise today: {found.why}. `mela stale --scene "
            f"{result['scene_id']} --publish` computes its scene again."
        )
    return found
