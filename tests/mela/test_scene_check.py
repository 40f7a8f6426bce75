"""All that is wrong with a scene, each field once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from backtests.strategies import CATALOGUE
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.scene import Scene, parse_scene
from mela.scene_check import faults_of, with_others

GOOD: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 5}},
}


def plan(scene: Scene) -> Plan:
    return plan_runs(scene, CATALOGUE, max_runs=1_000)


def faults(**changes: Any) -> dict[str | None, str]:
    return {one.field: one.sentence for one in faults_of({**GOOD, **changes}, plan)}


def test_a_good_scene_has_none() -> None:
    assert faults() == {}


def test_fields_parameters_and_the_space_are_told_together() -> None:
    found = faults(
        interval="60m",
        cash=-1,
        timeframe="1h",
        strategy={"name": "sma_cross", "params": {"fats": 3, "slowly": 9}},
        search={"kind": "grid", "space": {"exits.stoploss": [0.1], "costs.fee": [0.1]}},
    )

    assert set(found) == {
        *("interval", "cash", "timeframe"),
        *("strategy.params.fats", "strategy.params.slowly", "search.space.exits.stoploss"),
    }
    assert "did you mean 1h?" in found["interval"]
    assert "did you mean interval?" in found["timeframe"]
    assert "did you mean fast?" in found["strategy.params.fats"]
    assert "did you mean slow?" in found["strategy.params.slowly"]
    assert "did you mean exits.stop_loss?" in found["search.space.exits.stoploss"]


def test_an_unknown_strategy_is_told_beside_a_wrong_field() -> None:
    found = faults(strategy={"name": "smacross"}, rank_by="Sharpe")

    assert found["strategy.name"].startswith("no strategy is called 'smacross'; did you mean sma_c")
    assert found["rank_by"].endswith("but found 'Sharpe'; did you mean sharpe?")


def test_a_span_that_is_wrong_hides_no_other_fault() -> None:
    found = faults(
        start="2024-01-01T00:00:00Z",
        end="2023-01-01T00:00:00Z",
        holdout={"start": "2023-06-01T00:00:00Z"},
        strategy={"name": "nobody"},
    )

    assert set(found) == {"end", "strategy.name"}  # a holdout is judged within its span


def test_no_fault_is_made_up_by_leaving_a_wrong_field_out() -> None:
    """Sizing by risk needs a stop loss, and the one that is there is merely wrong."""
    found = faults(exits={"stop_loss": -1}, sizing={"kind": "risk_per_trade", "risk": 0.01})

    assert set(found) == {"exits.stop_loss"}
    assert set(faults(sizing={"kind": "risk_per_trade", "risk": 0.01})) == {"exits.stop_loss"}


@pytest.mark.parametrize("document", [None, [], "text", {}, {"strategy": 5}, {"search": 1}])
def test_what_is_no_scene_at_all_has_faults_too(document: Any) -> None:
    assert faults_of(document, plan)


def test_many_wrong_parameters_end() -> None:
    found = faults(strategy={"name": "sma_cross", "params": {f"p{n}": 1 for n in range(200)}})

    assert 1 < len(found) <= 20


def test_the_first_fault_carries_the_others() -> None:
    document = {**GOOD, "cash": -1, "strategy": {"name": "nobody"}}
    first = SceneInvalid(RejectionCode.INVALID_FIELD, "cash", "expected more.")

    assert [one.field for one in with_others(first, document, plan).others] == ["strategy.name"]


@pytest.mark.parametrize("day", ["2023-01-01", date(2023, 1, 1), "2023-01-01T00:00:00Z"])
def test_a_day_means_its_midnight_wherever_an_instant_is_asked_for(day: Any) -> None:
    """As the command line has it, and as YAML reads a day that is written without quotes."""
    scene = parse_scene(
        {**GOOD, "start": day, "end": "2024-01-01", "holdout": {"start": day}}
        | {"holdout": {"start": "2023-07-01"}}
    )

    assert scene.start == datetime(2023, 1, 1, tzinfo=UTC)
    assert (
        scene.content_hash()
        == parse_scene({**GOOD, "holdout": {"start": "2023-07-01T00:00:00Z"}}).content_hash()
    )
    assert scene.holdout
    assert scene.holdout.start == datetime(2023, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("day", ["2023-13-01", "2023-02-30", "2023-1-1", "20230101", "1672531200"])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(SceneInvalid):
        parse_scene({**GOOD, "start": day})
