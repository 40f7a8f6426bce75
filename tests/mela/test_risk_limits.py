"""Limits and hours in scenes: they change what is asked, and nothing where they are absent."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from mela.errors import SceneInvalid
from mela.grid import plan_runs
from mela.messages import RunChunk, read_chunk, read_stored_run
from mela.outcome import Outcome, Provenance, Status
from mela.result import Result, result_document
from mela.risk_limits import RiskLimits
from mela.run import Run
from mela.scene import parse_scene
from mela.scene_words import scene_in_words
from tests.mela.catalogue import CATALOGUE

SCENE = {
    "instruments": ["yahoo:AAPL"], "interval": "1h", "start": "2023-01-01", "end": "2024-01-01",
    "strategy": {"name": "sma_cross"},
}  # fmt: skip
NO_WAIT = {"session_hours": "refuse"}
LIMITS = {"max_daily_loss": 0.03, "max_order_units": 10}


def run_of(**fields) -> Run:
    [run] = plan_runs(parse_scene({**SCENE, **fields}), CATALOGUE, max_runs=9).expand()
    return run


def test_limits_and_hours_are_part_of_the_question_and_their_absence_is_not() -> None:
    plain = run_of()

    # the key that this scene had before there were limits
    assert plain.run_key == "2382f66f87bbfc380a931d4a6cba03101d705195e623689152d4f2dd0c5ab831"
    keys = {run_of(risk=LIMITS).run_key, run_of(sessions="regular").run_key, plain.run_key}
    assert len(keys) == 3
    assert run_of(risk={}).run_key == run_of(risk=None).run_key == plain.run_key
    assert run_of(risk={**LIMITS, "volume_candles": 20}).run_key == run_of(risk=LIMITS).run_key


def test_a_run_with_limits_goes_to_kafka_and_into_a_result_and_comes_back() -> None:
    run = run_of(risk=LIMITS, sessions="extended")
    chunk = RunChunk("0b6f0000-0000-4000-8000-000000000000", 0, [run, run_of()])

    assert list(read_chunk(chunk.to_bytes(), CATALOGUE).runs) == list(chunk.runs)

    made_with = Provenance("digest", "1", "1", None)
    document = result_document(Outcome(run, Status.NO_DATA), made_with, scene_id=None)
    assert (document["risk"], document["sessions"]) == (LIMITS, "extended")
    assert Result.model_validate(document).model_dump(mode="json")["risk"] == LIMITS
    assert read_stored_run(document, CATALOGUE) == run


def test_a_message_of_a_release_without_limits_is_read() -> None:
    message = json.loads(RunChunk("0b6f0000-0000-4000-8000-000000000000", 0, [run_of()]).to_bytes())
    for name in ("risk", "sessions"):
        del message["common"][name]

    assert list(read_chunk(json.dumps(message).encode(), CATALOGUE).runs) == [run_of()]


def test_a_scene_says_its_limits_in_words() -> None:
    sentence = scene_in_words(parse_scene({**SCENE, "risk": LIMITS}))[-1]
    assert sentence.endswith("risk.max_order_units 10, risk.max_daily_loss 0.03.")


def test_limits_that_look_back_need_candles_before_the_start() -> None:
    assert run_of(risk={"target_volatility": 0.01, "volatility_candles": 500}).warmup == 512
    assert run_of(risk={"max_daily_loss": 0.1}).warmup == run_of().warmup


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"risk": {"max_daily_los": 0.1}}, "risk.max_daily_los", "no such field"),
        ({"risk": {"max_daily_loss": 1.0}}, "risk.max_daily_loss", "less than 1"),
        ({"risk": {"max_order_units": 0}}, "risk.max_order_units", "greater than 0"),
        ({"sessions": "night"}, "sessions", "regular"),
        ({"risk": LIMITS, "engine": "backtrader"}, "risk", "backtrader"),
        ({"interval": "1d", "risk": NO_WAIT}, "risk.session_hours", "take wait"),
        (
            {"search": {"kind": "grid", "space": {"risk": [None]}}},
            "search.space.risk",
            "a space may vary",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(fields, path: str, words: str) -> None:
    with pytest.raises(SceneInvalid) as refused:
        run_of(**fields)

    assert refused.value.field == path
    assert words in str(refused.value)


def test_the_least_order_is_not_above_the_most() -> None:
    with pytest.raises(ValidationError, match="at most max_order_notional"):
        RiskLimits(min_order_notional=10.0, max_order_notional=5.0)
