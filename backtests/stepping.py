"""Step a run of a scene candle by candle: its strategy's signals, and the stepper that trades them.

The trades and the equity are bit-equal to those of `simulate.run_all` and `portfolio.run_together`.
A stepper counts sizes and volumes in units: contracts × their multiplier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backtests.candles.aligned import AlignedCandles
from backtests.candles.prepared import PreparedCandles
from backtests.execute import terms_of
from backtests.portfolio_terms import portfolio_terms_of, shares_of
from backtests.signals import Bool, Float, Signals
from backtests.sizing_inputs import sizing_measure
from backtests.strategy import Given
from execution.candle_step import Candle, Decision
from execution.stepper import CandleStepper, PortfolioStepper, Step
from mela.candles import Candles
from mela.market_hours import phases, trades_in
from mela.run import Run


@dataclass(frozen=True, slots=True)
class CandleSteps:
    """The candles and decisions of a run of one instrument, ready to be stepped.

    first: the first candle of the span; the one before it is the last of the warm-up
    in_hours: (n,) bool, which candles can fill orders in the hours of the run; None for all
    """

    span: PreparedCandles
    run: Run
    signals: Signals
    measure: Float
    volume: Float
    in_hours: Bool | None = None

    @classmethod
    def of(cls, span: PreparedCandles, run: Run, signals: Signals) -> CandleSteps:
        """Return the steps of a run whose signals are known on all candles of its span."""
        measure = sizing_measure(run.sizing, span.candles)
        in_hours = fillable_in_hours(span.candles, run)
        return cls(span, run, signals, measure, span.candles.volume_units, in_hours)

    @property
    def first(self) -> int:
        """Return the bar of the first candle of the span."""
        return self.span.candles.start_bar

    def stepper(self) -> CandleStepper:
        """Return a stepper that has taken the last warm-up candle, if there is one."""
        candles = self.span.candles
        before = self.first - 1
        stepper = self.plain_stepper()
        if before >= 0:
            stepper.warm(float(candles.close[before]), self.decision(before))
        return stepper

    def plain_stepper(self) -> CandleStepper:
        """Return a stepper that has not taken the last warm-up candle."""
        bar = max(self.first - 1, 0)
        return CandleStepper(terms_of(self.run, self.span.candles), float(self.run.cash), bar=bar)

    def candle(self, bar: int) -> Candle:
        """Return the candle of a bar."""
        candles = self.span.candles
        opened_ms, volume = int(candles.opened_ms[bar]), float(self.volume[bar])
        return Candle(
            opened_ms,
            opened_ms + self.span.lasting_ms,
            float(candles.open[bar]),
            float(candles.high[bar]),
            float(candles.low[bar]),
            float(candles.close[bar]),
            volume,
            (bar < self.span.quiet_from or volume > 0.0)
            and (self.in_hours is None or bool(self.in_hours[bar])),
        )

    def decision(self, bar: int) -> Decision:
        """Return what the strategy says on the close of a bar."""
        enter, exit_, enter_short, exit_short = self.signals.mirrored()
        return Decision(
            enter=bool(enter[bar]),
            exit=bool(exit_[bar]),
            enter_short=bool(enter_short[bar]),
            exit_short=bool(exit_short[bar]),
            measure=float(self.measure[bar]) if len(self.measure) else 0.0,
            strength=_at(self.signals.strength, bar, 1.0),
            stop=_at(self.signals.stop, bar, np.nan),
            target=_at(self.signals.target, bar, np.nan),
            exit_price=_at(self.signals.exit_price, bar, np.nan),
        )

    def __iter__(self) -> Iterator[Step]:
        """Yield the account after each candle of the span, up to its ruin."""
        stepper = self.stepper()
        for bar in range(self.first, len(self.span.candles)):
            step = stepper.step(self.candle(bar), self.decision(bar))
            yield step
            if step.ruined:
                return


@dataclass(frozen=True, slots=True)
class PortfolioSteps:
    """The candles and decisions of a run of several instruments, ready to be stepped.

    Column 0 stands before the first step, as in `AlignedCandles`.

    in_hours: of each instrument which of its columns can fill orders; empty where all can
    """

    laid: AlignedCandles
    run: Run
    lasting_ms: int
    columns: tuple[np.ndarray, ...]
    inputs: tuple[Float, Float, Float]
    weights: Float
    due: np.ndarray
    in_hours: tuple[Bool, ...] = ()

    @classmethod
    def of(
        cls,
        laid: AlignedCandles,
        run: Run,
        given: Sequence[Given | None],
    ) -> PortfolioSteps:
        """Return the steps of a run whose signals or weights are known on all its candles.

        given: what the strategy decided on each instrument; None for one without candles
        Raises ValueError where the portfolio takes the strategy's weights, but it gave signals.
        """
        assert run.portfolio is not None  # noqa: S101  what shares an account has weights
        base = laid.weights(run.instruments, run.portfolio)
        weights, signals = shares_of(laid, run, given, base)
        return cls(
            laid,
            run,
            laid.basket(run.instruments, run, base).lasting_ms,
            laid.signals(signals),
            laid.inputs(signals),
            weights,
            laid.due(run.portfolio.rebalance),
            _columns_in_hours(laid, run),
        )

    def stepper(self) -> PortfolioStepper:
        """Return a stepper that has taken the last warm-up candles."""
        stepper = self.plain_stepper()
        stepper.warm(self.candles(0), self.decisions(0), self.targets(0))
        return stepper

    def plain_stepper(self) -> PortfolioStepper:
        """Return a stepper that has not taken the last warm-up candles."""
        lots = [span.candles.lot_units for span in self.laid.spans]
        return PortfolioStepper(portfolio_terms_of(self.run), float(self.run.cash), lots)

    def seen_ms(self) -> Float:
        """Return when the last warm-up candle of each instrument ended; NaN for one without."""
        seen = np.full(len(self.laid.spans), np.nan)
        for place, span in enumerate(self.laid.spans):
            if self.laid.has[place, 0]:
                seen[place] = span.candles.opened_ms[span.candles.start_bar - 1] + self.lasting_ms
        return seen

    def candles(self, now: int) -> list[Candle | None]:
        """Return the candle of each instrument in a column."""
        opened_ms = int(self.laid.opened_ms[now])
        ended_ms = opened_ms + self.lasting_ms
        columns = [column[:, now].tolist() for column in self.laid.prices]
        has, fillable = self.laid.has[:, now], self.laid.fillable[:, now].tolist()
        if self.in_hours:
            opened = [bool(each[now]) for each in self.in_hours]
            fillable = [can and is_open for can, is_open in zip(fillable, opened, strict=True)]
        rows = zip(*columns, fillable, strict=True)
        return [
            Candle(opened_ms, ended_ms, *row) if there else None
            for there, row in zip(has, rows, strict=True)
        ]

    def decisions(self, now: int) -> list[Decision]:
        """Return what the strategy says of each instrument on the closes of a column."""
        flags = [flag[:, now].tolist() for flag in self.columns]
        inputs = [
            values[:, now].tolist() if values.shape[1] else [absent] * len(values)
            for values, absent in zip(self.inputs, (1.0, np.nan, np.nan), strict=True)
        ]
        measures = [0.0] * len(flags[0])
        return [Decision(*row) for row in zip(*flags, measures, *inputs, strict=True)]

    def targets(self, now: int) -> list[float]:
        """Return the target weights as known on the closes of a column."""
        return self.weights[:, now if self.weights.shape[1] > 1 else 0].tolist()

    def step(self, stepper: PortfolioStepper, now: int) -> tuple[Step, np.ndarray]:
        """Let a stepper take one column; return its step and the instrument of each trade."""
        opened_ms = int(self.laid.opened_ms[now])
        return stepper.step(
            opened_ms,
            opened_ms + self.lasting_ms,
            self.candles(now),
            self.decisions(now),
            self.targets(now),
            due=bool(self.due[now]),
        )

    def __iter__(self) -> Iterator[tuple[Step, np.ndarray]]:
        """Yield the account after each step and the instrument of each trade, up to its ruin."""
        stepper = self.stepper()
        for now in range(1, len(self.laid.opened_ms)):
            step, traded = self.step(stepper, now)
            yield step, traded
            if step.ruined:
                return


def fillable_in_hours(candles: Candles, run: Run) -> Bool | None:
    """Tell which candles can fill orders in a run's hours, (n,) bool; None where all can.

    Raises ValueError where nothing tells when the market is open.
    """
    if run.sessions is None:
        return None
    return trades_in(phases(candles.calendar, candles.interval, candles.opened_ms), run.sessions)


def _columns_in_hours(laid: AlignedCandles, run: Run) -> tuple[Bool, ...]:
    if run.sessions is None:
        return ()
    return tuple(
        trades_in(phases(span.candles.calendar, run.interval, laid.opened_ms), run.sessions)
        for span in laid.spans
    )


def _at(values: Float | None, bar: int, absent: float) -> float:
    return absent if values is None else float(values[bar])
