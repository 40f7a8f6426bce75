"""Write a new strategy of one's own, with its test, where the stack looks for packages."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from backtests.catalogue.files import GROUP, OURS
from mela.errors import InputInvalid
from mela.settings import Settings
from services.strategies.all_strategies import all_strategies

NAME = re.compile("[a-z][a-z0-9_]{1,60}")
SOURCE = '''"""{name}: a strategy of mine."""

from pydantic import Field

from backtests.indicators import Indicators
from backtests.signals import Signals, crosses_above, crosses_below
from backtests.strategy import strategy
from mela.candles import Candles
from mela.run import Part, Whole


class {model}(Part):
    """The mean."""

    period: Whole = Field(default=20, ge=2, le=500, description="candles in the mean")


@strategy({model}, warmup=lambda params: params.period + 1)
def {name}(candles: Candles, params: {model}, indicators: Indicators) -> Signals:
    """Enter when the close crosses above its mean, exit when it crosses below."""
    mean = indicators.sma(params.period)
    return Signals(crosses_above(candles.close, mean), crosses_below(candles.close, mean))
'''
TEST = '''"""Tests of {name}: python -m pytest {file}"""

from backtests.lookahead.check import check
from backtests.strategies import refresh
from backtests.testing.instrument import candles_of
from mela.interval import Interval
from mela.settings import Settings
from mela.verdict import Verdict
from services.strategies.lookahead import random_walk

STRATEGY = refresh(Settings().packages)["{name}"]


def test_it_does_not_look_ahead():
    found = check(random_walk(Interval.H1, 600), STRATEGY, {{}})
    assert found.verdict is Verdict.CLEAN, (found.differences, found.unverified, found.reaches)


def test_it_enters_when_the_close_crosses_above_its_mean():
    closes = [10.0, 9.0, 8.0, 7.0, 9.0, 11.0, 8.0, 6.0]
    candles = candles_of([(close, close, close, close) for close in closes])

    signals = STRATEGY.signals(candles, STRATEGY.params(period=3), indicators_of(candles))

    assert signals.enter.tolist() == [False, False, False, False, True, False, False, False]
    assert signals.exit.tolist() == [False, False, False, False, False, False, True, False]


def indicators_of(candles):
    from backtests.indicators import Indicators

    return Indicators(candles)
'''


@dataclass(frozen=True, slots=True)
class NewStrategy:
    """The written files: the strategy, its test, and the entry point that lists it to Mela."""

    source: Path
    test: Path
    metadata: Path


def write_strategy(name: str, settings: Settings) -> NewStrategy:
    """Write a strategy that works, and its test, into the packages of this stack.

    It is a package of one module with an entry point, as `pip install --target` would leave it, so
    that the running stack takes it up without a restart. Raises InputInvalid.
    """
    _check_name(name, settings)
    folder = settings.packages
    written = NewStrategy(
        folder / f"{name}.py", folder / f"test_{name}.py", folder / f"{name}-1.dist-info"
    )
    for path in (written.source, written.test, written.metadata):
        if path.exists():
            raise InputInvalid("name", f"{path} is there already; choose another name, or edit it")
    model = "".join(part.capitalize() for part in name.split("_"))
    written.metadata.mkdir(parents=True)
    (written.metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8"
    )
    (written.metadata / "entry_points.txt").write_text(
        f"[{GROUP}]\n{name} = {name}\n", encoding="utf-8"
    )
    written.test.write_text(TEST.format(name=name, file=written.test), encoding="utf-8")
    written.source.write_text(SOURCE.format(name=name, model=model), encoding="utf-8")
    return written


def _check_name(name: str, settings: Settings) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InputInvalid(
            "name",
            "expected a name of small letters, digits and _, as my_idea, but found "
            f"{name!r}; it becomes a Python function",
        )
    if name in all_strategies(settings):
        raise InputInvalid(
            "name", f"there is a strategy {name} already; `mela strategies {name}` shows it"
        )
    if name in OURS or name in sys.stdlib_module_names or name in sys.modules:
        raise InputInvalid("name", f"{name} is the name of a Python module; choose another")
