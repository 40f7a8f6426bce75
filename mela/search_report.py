"""The report on a search: the shape of the document that is stored, sent and shown.

The engine fills it in (backtests/search), the warehouse stores it as JSON, the terminal prints it.
A report that an earlier release stored may lack fields that came later, and one of a later release
may have more: fields that a reader can do without are optional, and further ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    def document(self) -> dict[str, Any]:
        """Return JSON values of just the fields that were given."""
        return self.model_dump(mode="json", exclude_unset=True)


class OutOfSample(_Part):
    """The performance on candles that the choice did not see; null where undefined."""

    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    trades: int = 0
    buy_hold_return: float | None = None


class FoldReport(_Part):
    """One fold of a walk-forward: its windows, the run chosen, and how that run did afterwards.

    status: of the test, or `no_choice` where no run of the training window has metrics
    """

    train_start: str
    train_end: str
    test_start: str
    test_end: str
    status: str
    error: str | None = None
    run_key: str | None = None
    choice: Mapping[str, Any] = Field(default_factory=dict)
    trained: float | None = None
    purged: int | None = None
    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    trades: int = 0
    buy_hold_return: float | None = None


class InstrumentWalk(OutOfSample):
    """The walk-forward of one instrument. tested: the folds whose test has candles."""

    tested: int
    folds: tuple[FoldReport, ...] = ()


class EquityPoints(_Part):
    """Equity out of sample at the ends of some periods."""

    at: tuple[str, ...] = ()
    equity: tuple[float | None, ...] = ()


class WalkForwardReport(OutOfSample):
    """The walk-forward of all instruments in equal shares. Long lists may be left out.

    untested: tests without a run to choose, without candles, or that failed
    """

    folds: int
    untested: int = 0
    equity: EquityPoints | None = None
    instruments: Mapping[str, InstrumentWalk] = Field(default_factory=dict)


class HoldoutReport(OutOfSample):
    """The winner on the holdout, and which opening of it this was."""

    start: str
    end: str
    instrument: str
    run_key: str
    status: str
    error: str | None = None
    opened_at: str | None = None
    opened_by: str | None = None
    reopened: int | None = None


class WinnerReport(_Part):
    """The run that the search hands on, on the span that it was chosen on."""

    instrument: str
    strategy: str
    choice: Mapping[str, Any] = Field(default_factory=dict)
    run_key: str
    interval: str
    start: str
    end: str
    rank_by: str
    sharpe: float | None = None
    total_return: float | None = None
    max_drawdown: float | None = None
    trades: int | None = None


class StatisticsReport(_Part):
    """The statistics that tell how much of the winner is luck (docs/search.md).

    reason: why nothing could be computed.
    """

    n_trials: int
    reason: str | None = None
    n_effective: int | None = None
    sharpe_variance: float | None = None
    psr: float | None = None
    dsr: float | None = None
    certified: bool = False
    pbo: float | None = None
    spa_p: float | None = None
    notes: tuple[str, ...] = ()


class BreakEvenReport(_Part):
    """The cost of a fill at which the gain is gone; null where costs never take it."""

    per_fill: float | None = None


class PlateauReport(_Part):
    """The neighbours of the winner's parameters. positive: the share of them above 0."""

    tried: int = 0
    positive: float | None = None


class PermutedReport(_Part):
    """The winner on shuffled candles."""

    p_value: float | None = None


class RobustnessReport(_Part):
    """The robustness of the winner. reason: why nothing could be computed."""

    reason: str | None = None
    metric: str | None = None
    value: float | None = None
    break_even: BreakEvenReport = BreakEvenReport()
    delayed: Mapping[str, float | None] | None = None
    plateau: PlateauReport = PlateauReport()
    permuted: PermutedReport = PermutedReport()


class QuantilesReport(_Part):
    """Quantiles of a number over paths; null where some path has none."""

    values: tuple[float, ...] | None = None


class PathsReport(_Part):
    """Paths resampled from the winner's returns."""

    total_return: QuantilesReport
    max_drawdown: QuantilesReport
    loss_probability: float | None = None


class MonteCarloReport(_Part):
    """Results of other orders of the winner's returns and trades."""

    returns: PathsReport | None = None
    trades: Mapping[str, Any] | None = None


class SearchReport(_Part):
    """The report on a search. A part is missing where its question was not asked.

    recorded: whether trials of other scenes counted, and the opening of a holdout was recorded
    reason: why there is no verdict
    """

    recorded: bool = True
    reason: str | None = None
    walk_forward: WalkForwardReport | None = None
    holdout: HoldoutReport | None = None
    winner: WinnerReport | None = None
    statistics: StatisticsReport | None = None
    robustness: RobustnessReport | None = None
    monte_carlo: MonteCarloReport | None = None

    def headline(self) -> dict[str, float]:
        """Return the numbers that a table of searches shows: name → value, if defined."""
        found: dict[str, float | None] = {}
        if (luck := self.statistics) is not None:
            found |= {"n_trials": luck.n_trials, "n_effective": luck.n_effective}
            found |= {"sharpe_variance": luck.sharpe_variance, "dsr": luck.dsr}
            found |= {"pbo": luck.pbo, "spa_p": luck.spa_p}
        for prefix, part in (("oos", self.walk_forward), ("holdout", self.holdout)):
            if part is not None:
                found[f"{prefix}_sharpe"] = part.sharpe
                found[f"{prefix}_total_return"] = part.total_return
                found[f"{prefix}_max_drawdown"] = part.max_drawdown
        if self.robustness is not None:
            found["permuted_p"] = self.robustness.permuted.p_value
            found["break_even_per_fill"] = self.robustness.break_even.per_fill
        return {name: float(value) for name, value in found.items() if value is not None}


class EndWarning(_Part):
    """A warning about a scene's end. run_key: the run of the scene that it is about."""

    run_key: str
    code: str
    sentence: str

    def document(self) -> dict[str, str]:
        """Return the warning as JSON values."""
        return {"run_key": self.run_key, "code": self.code, "sentence": self.sentence}


class SceneEnding(_Part):
    """The ending of a finished scene: the column `best` of ops.scene.

    best: result documents, the best overall first, then the best of each instrument
    first: the run_keys of the best runs in their order, of scenes with many runs: pages show them
        without sorting all
    training: of a scene that trains: the model that came of it, or why none did
    """

    best: tuple[dict[str, Any], ...] = ()
    first: tuple[str, ...] = ()
    warnings: tuple[EndWarning, ...] = ()
    report: SearchReport | None = None
    training: dict[str, Any] | None = None

    @field_validator("best", mode="before")
    @classmethod
    def _as_several(cls, stored: Any) -> Any:
        """Read the single best result that early releases stored."""
        return (stored,) if isinstance(stored, Mapping) else stored

    def report_document(self) -> dict[str, Any] | None:
        """Return the report as JSON values, with just the fields that it was stored with."""
        return None if self.report is None else self.report.document()
