"""What a scene's end says of its best run."""

from __future__ import annotations

from streaming.conclude import choice_warnings

BEST = {"run_key": "a" * 64}
SEARCHED = {"instruments": ["binance:BTCUSDT"], "search": {"kind": "grid"}}


def test_a_search_on_the_candles_it_is_measured_on_is_warned_of() -> None:
    (warning,) = choice_warnings(SEARCHED, 9, BEST)

    assert (warning.run_key, warning.code) == (BEST["run_key"], "no_out_of_sample")
    assert "walk-forward" in warning.sentence


def test_a_scene_without_a_choice_or_a_best_is_not() -> None:
    alone = {"instruments": ["binance:BTCUSDT"]}

    assert choice_warnings(alone, 1, BEST) == []
    assert choice_warnings(SEARCHED, 9, None) == []
