"""What MLflow shows of a run tells it apart: its name, its parameters, its row of the table."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields

import pytest

from mela.metrics import METRICS
from mela.run import Run
from mela.search_report import EndWarning
from streaming import mlflow_words as words
from tests.warehouse.given import a_document, a_run, at
from warehouse.scenes.stored_scene import StoredScene

SCENE = "0" * 8
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")


def documents(*runs: Run) -> list[dict[str, object]]:
    return [a_document(run, SCENE) for run in runs]


def with_stop(document: dict[str, object], stop: float | None) -> dict[str, object]:
    exits = document["exits"]
    assert isinstance(exits, dict)
    return document | {"exits": {**exits, "stop_loss": stop}}


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(words)

    assert failed == 0
    assert tried > 0


def test_a_name_says_the_rank_and_what_varies_and_nothing_else() -> None:
    first, second = documents(a_run(35, params={"fast": 35, "slow": 140}), a_run(20))
    rows = [with_stop(first, None), with_stop(second, 0.05)]
    named = words.labels(words.varied(rows))

    assert words.run_name(1, rows[0], named) == "#1 fast=35 slow=140 stop=none"
    assert words.run_name(2, rows[1], named) == "#2 fast=20 slow=30 stop=0.05"


def test_instruments_and_windows_that_vary_are_in_the_name() -> None:
    rows = documents(
        a_run(name="binance:BTCUSDT"),
        a_run(name="binance:ETHUSDT", start=at("2024-01-05"), end=at("2024-01-06")),
    )
    named = words.labels(words.varied(rows))

    assert words.run_name(2, rows[1], named) == (
        "#2 binance:ETHUSDT start=2024-01-05 end=2024-01-06"
    )


def test_names_of_many_parameters_differ_and_fit_into_mlflow() -> None:
    wide = {f"parameter_number_{number}": number for number in range(40)}
    rows = documents(a_run(params=wide), a_run(params=dict.fromkeys(wide, 1)))
    named = words.labels(words.varied(rows))

    names = [words.run_name(place, row, named) for place, row in enumerate(rows, start=1)]
    assert len(set(names)) == 2
    assert all(len(name) <= words.MOST_OF_NAME for name in names)


def test_null_is_the_word_none_and_no_parameter_is_left_out() -> None:
    [row] = [with_stop(one, None) for one in documents(a_run())]

    told = words.params_of(row, {}, {})

    assert told["exits.stop_loss"] == "none"
    assert told.keys() == words.request_fields(row).keys()
    assert "None" not in told.values()


def test_numbers_and_nulls_of_one_parameter_get_an_axis_that_is_text_alone() -> None:
    rows = [
        with_stop(one, stop)
        for one, stop in zip(documents(a_run(), a_run()), (None, 0.02), strict=True)
    ]
    named = words.labels(words.varied(rows))
    axes = words.axes(rows, named)

    assert axes == {"exits.stop_loss": "stop"}
    drawn = [words.params_of(row, named, axes)["stop"] for row in rows]
    assert drawn == ["stop none", "stop 0.02"]
    for text in drawn:  # MLflow draws what is no number as a category
        with pytest.raises(ValueError, match="could not convert"):
            float(text)


def test_a_parameter_of_numbers_alone_is_its_own_axis() -> None:
    rows = documents(a_run(10), a_run(20))

    assert words.axes(rows, words.labels(words.varied(rows))) == {"params.fast": "params.fast"}


def test_the_table_begins_with_what_varies_and_has_no_instant_that_its_viewer_hides() -> None:
    rows = documents(a_run(10), a_run(20))
    first, second = words.table_of(rows, words.labels(words.varied(rows)))

    assert list(first)[:3] == ["rank", "params.fast", "status"]
    assert (first["rank"], second["rank"]) == (1, 2)
    assert first["start"] == "2024-01-02 00:00:00Z"
    assert not [name for name, value in first.items() if INSTANT.match(str(value))]
    assert set(METRICS) <= first.keys()


def test_a_description_has_the_question_the_best_and_the_doubts_in_words() -> None:
    content = {
        "schema_version": 1,
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2024-01-02T00:00:00Z",
        "end": "2024-01-03T00:00:00Z",
        "strategy": {"name": "sma_cross"},
        "search": {"kind": "grid", "space": {"strategy.params.fast": [10, 20]}},
    }
    unknown = dict.fromkeys(field.name for field in fields(StoredScene))
    counts = {"runs": 2, "skipped": 0, "cached": 0}
    scene = StoredScene(**{**unknown, **counts, "content": content, "best": {}})
    doubt = EndWarning(run_key="", code="no_out_of_sample", sentence="chosen on its own candles.")

    told = words.scene_description(scene, documents(a_run(10), a_run(20)), "sharpe", [doubt])

    assert told[0].startswith("sma_cross on binance:BTCUSDT, 1h candles, 2024-01-02 to 2024-01-03")
    assert "fast 10, 20" in told[1]
    assert any(one.startswith("**#1 fast=10**: sharpe ") for one in told)
    assert told[-1] == "`no_out_of_sample`: chosen on its own candles."
