"""A run that fails says where in whose code: the line that its author has to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtests.error_places import place_of
from backtests.portfolio import run_together
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.outcome import ErrorPlace
from mela.portfolio import Portfolio
from mela.result import Outcome
from mela.run import Run, from_ms

BARS = 40
HERE = str(Path(__file__).relative_to(Path(__file__).parents[2]))


def candles() -> Candles:
    close = np.linspace(10.0, 20.0, BARS)
    opened = np.arange(BARS, dtype=np.int64) * DAY_MS
    return Candles(Interval.D1, opened, close, close, close, close, np.ones(BARS))


def run(**changes: Any) -> Run:
    span = from_ms(0), from_ms(BARS * DAY_MS)
    fields = {"params": {"fast": 2, "slow": 4}, "warmup": 0} | changes
    return Run("k" * 64, "a:X", Interval.D1, *span, "sma_cross", **fields)


def catalogue_of(signals: Any) -> Mapping[str, Strategy]:
    return {**CATALOGUE, "sma_cross": replace(CATALOGUE["sma_cross"], signals=signals)}


def failed(signals: Any) -> Outcome:
    (outcome,) = run_all(candles(), [run()], catalogue=catalogue_of(signals))
    assert outcome.status == "failed"
    return outcome


def line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.strip() == text)


def raising(_candles: Any, _params: Any, _indicators: Any) -> Any:
    return {}["missing"]


def calling_numpy(_candles: Any, _params: Any, _indicators: Any) -> Any:
    return np.reshape(np.ones(3), (2, 2))


def calling_an_indicator(_candles: Any, _params: Any, indicators: Any) -> Any:
    return indicators.sma(-5)


def of_a_wrong_length(_candles: Any, _params: Any, _indicators: Any) -> Any:
    return np.ones(3, bool), np.ones(3, bool)


@pytest.mark.parametrize(
    ("signals", "kind", "line"),
    [
        (raising, "KeyError", 'return {}["missing"]'),
        (calling_numpy, "ValueError", "return np.reshape(np.ones(3), (2, 2))"),
    ],
)
def test_the_line_is_the_authors_innermost_even_if_a_package_raised(
    signals: Any, kind: str, line: str
) -> None:
    outcome = failed(signals)

    assert outcome.error is not None
    assert outcome.error[0] == kind
    assert outcome.error_at == ErrorPlace(HERE, line_of(line))


def test_an_error_of_an_indicator_is_at_the_line_that_asked_for_it() -> None:
    assert failed(calling_an_indicator).error_at == ErrorPlace(
        HERE, line_of("return indicators.sma(-5)")
    )


def test_an_answer_that_is_refused_is_at_the_function_that_gave_it() -> None:
    begins = line_of("def of_a_wrong_length(_candles: Any, _params: Any, _indicators: Any) -> Any:")

    assert failed(of_a_wrong_length).error_at == ErrorPlace(HERE, begins)


def test_a_helper_in_a_file_of_its_own_is_named(tmp_path: Path) -> None:
    helper = tmp_path / "my_helper.py"
    helper.write_text("\n\ndef divide():\n    return 1 / 0\n", encoding="utf-8")
    scope: dict[str, Any] = {}
    exec(compile(helper.read_text(encoding="utf-8"), str(helper), "exec"), scope)  # noqa: S102

    def signals(_candles: Any, _params: Any, _indicators: Any) -> Any:
        return scope["divide"]()

    assert failed(signals).error_at == ErrorPlace(str(helper), 4)


def test_a_run_of_one_account_for_several_says_it_too() -> None:
    several = run(others=("a:Y",), portfolio=Portfolio())
    series = {"a:X": candles(), "a:Y": candles()}

    (outcome,) = run_together(series, [several], catalogue=catalogue_of(raising))

    assert outcome.error_at == ErrorPlace(HERE, line_of('return {}["missing"]'))


def test_an_error_without_an_authors_code_has_no_place() -> None:
    try:
        np.reshape(np.ones(3), (2, 2))
    except ValueError as error:
        in_a_package = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)

    assert place_of(in_a_package, None) is None
    assert place_of(ValueError("never raised"), raising) is None
