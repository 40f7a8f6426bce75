"""Execute the run of a stored result again, and tell whether the answer is still the same."""

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
from mela.result import Curve, Outcome, result_key
from mela.settings import Settings
from warehouse.candles.reader import CandleReader
from warehouse.candles.run_series import read_run
from warehouse.database import transaction
from warehouse.results import finder


class Recomputed(NamedTuple):
    """A result computed again, to the same answer.

    outcome: with its curve, which is also here
    series: the candles of each instrument of the account, warm-up included
    """

    outcome: Outcome
    curve: Curve
    series: Mapping[str, Candles]


class Changed(NamedTuple):
    """Why today's candles and code do not give a stored answer again."""

    why: str


def recompute(
    result: Mapping[str, Any], settings: Settings, reader: CandleReader, catalogue: Catalogue
) -> Recomputed | Changed:
    """Execute the run of a stored result again on today's candles, with today's code.

    result: the document of one that succeeded or was ruined
    Raises CandlesMissing for an unknown instrument, and what the engine raises for candles that
    cannot be used.
    """
    name = result["strategy"]["name"]
    if name not in catalogue:
        return Changed(f"the strategy {name} is no longer registered")
    try:
        run = read_stored_run(result, catalogue)
    except (ValidationError, SceneInvalid):  # it was edited, and takes other parameters now
        return Changed(f"the strategy {name} no longer takes its parameters")
    series, revisions = read_run(reader, run)
    made_with = provenance(name, None, catalogue)
    with transaction(settings) as connection:
        still = finder.find(connection, [run], {name: made_with}, result["scene_id"])
    # a later revision that touches none of these candles leaves the answer and its key valid
    if run.run_key in still:
        revisions = tuple(result.get("revisions") or [result["candles_revision"]])
    outcome = next(iter(run_series(series, [run], with_curve=True, catalogue=catalogue)))
    key = result_key(run.run_key, outcome.status, made_with.on(revisions), result["scene_id"])
    # a composite asks for its parts when it runs: they may have been loaded anew meanwhile
    today = CATALOGUE.get(name)
    is_todays = today is not None and today.digest == made_with.strategy_digest
    if key != result["result_key"] or outcome.curve is None or not is_todays:
        return Changed("its candles or its code changed after it was computed")
    return Recomputed(outcome, outcome.curve, series)
