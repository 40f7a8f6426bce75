"""A stored result executed once more, for its curve: the same answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from backtests.portfolio import run_series
from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from backtests.strategy import Catalogue
from mela.candles import Candles
from mela.errors import SceneInvalid
from mela.messages import read_stored_run
from mela.result import Curve, Outcome, Status, result_key
from mela.settings import Settings
from streaming.clients import reader_of
from streaming.series import read_run
from warehouse.database import transaction
from warehouse.results import finder as results

WITH_CURVE = frozenset({Status.SUCCEEDED.value, Status.RUINED.value})


class Again(NamedTuple):
    """A result's outcome with its curve, and the candles that it read, by instrument."""

    outcome: Outcome
    curve: Curve
    candles: Mapping[str, Candles]


def execute_again(
    result: Mapping[str, Any], settings: Settings, catalogue: Catalogue
) -> Again | str:
    """Return a result's outcome, or why today's candles and code no longer give it.

    Raises what the reading of candles does.
    """
    name = result["strategy"]["name"]
    if name not in catalogue:
        return f"the strategy {name} is no longer registered"
    try:
        run = read_stored_run(result, catalogue)
    except (ValidationError, SceneInvalid):  # it was edited, and takes other parameters now
        return f"the strategy {name} no longer takes its parameters"
    series = read_run(reader_of(settings), run)
    revisions = series.revisions
    made_with = provenance(name, None, catalogue)
    with transaction(settings) as connection:
        still = results.find(connection, [run], {name: made_with}, result["scene_id"])
    # a later revision that touches none of these candles leaves the answer and its key valid
    if run.run_key in still:
        revisions = tuple(result.get("revisions") or [result["candles_revision"]])
    outcome = next(iter(run_series(series.candles, [run], with_curve=True, catalogue=catalogue)))
    key = result_key(run.run_key, outcome.status, made_with.on(revisions), result["scene_id"])
    # a composite asks for its parts when it runs: they may have been loaded anew meanwhile
    today = CATALOGUE.get(name)
    is_todays = today is not None and today.digest == made_with.strategy_digest
    if key != result["result_key"] or outcome.curve is None or not is_todays:
        return "its candles or its code changed after it was computed"
    return Again(outcome, outcome.curve, series.candles)
