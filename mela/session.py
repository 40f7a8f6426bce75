"""The session: a strategy that trades candle by candle, on paper or with a broker (docs/live.md).

A session asks what a scene asks, but of candles that are still to come. `Session.scene` gives the
scene that asks the same of candles that are there, so that both can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

from pydantic import Field, ValidationError, field_validator, model_validator

from mela.errors import RejectionCode, SceneInvalid
from mela.execution_terms import StopEntry
from mela.fields import Part, Real, Whole, one_of
from mela.inference import infer
from mela.inputs import SeriesChoice
from mela.instrument import parse_name
from mela.interval import Interval
from mela.market_hours import LONGEST_EXTENDED_MS, has_hours_around
from mela.risk_limits import SessionHours
from mela.run_terms import RunTerms
from mela.scene import Scene, StrategyChoice, fault_sentence, field_path

Money = Literal["paper", "live"]
FeedKind = Literal["venue", "replay"]


class Feed(Part):
    """The source of a session's candles."""

    kind: FeedKind = Field(
        default="venue",
        description="venue: the market's own service, by the instrument's venue; replay: the "
        "recorded service that MELA_REPLAY_URL names",
    )


class PaperBroker(Part):
    """Our own paper broker. Its fills are the backtest's, or harder ones."""

    kind: Literal["paper"] = Field(default="paper", description="no money and no service")
    fills: Literal["plain", "hard"] = Field(
        default="plain",
        description="plain: as a backtest fills, on the next candle; hard: with what follows",
    )
    spread: Real = Field(
        default=0.0, ge=0, lt=1, description="hard: between bid and ask, as a fraction of the price"
    )
    latency_s: Real = Field(
        default=0.0, ge=0, description="hard: seconds from a decision to the market"
    )
    volume_share: Real = Field(
        default=1.0, gt=0, le=1, description="hard: most of a candle's volume that may fill"
    )
    reject_chance: Real = Field(
        default=0.0, ge=0, lt=1, description="hard: how often an order is rejected"
    )
    seed: Whole = Field(default=0, ge=0, description="hard: of the rejections")

    @model_validator(mode="after")
    def _is_hard_where_it_says_so(self) -> Self:
        hard = ("spread", "latency_s", "volume_share", "reject_chance")
        given = [
            name for name in hard if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.fills == "plain" and given:
            raise ValueError(
                f"{', '.join(given)} needs fills: hard, but this broker fills as a backtest does; "
                "add fills: hard, or leave it out"
            )
        return self


class AlpacaBroker(Part):
    """Alpaca, its paper endpoint unless the session's money is live."""

    kind: Literal["alpaca"] = Field(default="alpaca", description="orders go to Alpaca")
    stops: Literal["rest", "close"] = Field(
        default="rest",
        description="rest: the stop of a position rests at Alpaca as an order; close: stops are "
        "looked at when a candle has closed, as targets always are",
    )
    limits: Literal["together", "each"] = Field(
        default="together",
        description="together: exposure, leverage, free money and open orders of `risk` count over "
        "all instruments of the session; each: each instrument by itself, as in a backtest",
    )
    beyond: Real = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="before and after the session of a stock, how far beyond the last close a "
        "market order may fill: it leaves as a limit there",
    )


if TYPE_CHECKING:
    Broker = PaperBroker | AlpacaBroker
else:
    Broker = one_of(PaperBroker, AlpacaBroker)


class NewsRule(Part):
    """Halt entries around headlines of a session's instruments."""

    before_s: Real = Field(
        default=0.0, ge=0, description="seconds before a scheduled one in which nothing is entered"
    )
    after_s: Real = Field(
        default=900.0, ge=0, description="seconds after one in which nothing is entered"
    )
    words: tuple[str, ...] = Field(
        default=(), description="only headlines that have one of these; without any, all of them"
    )


class AlertRule(Part):
    """The notices that a session's owner receives."""

    level: Literal["info", "warning", "error", "critical"] = Field(
        default="warning", description="the least that is told"
    )
    heartbeat_s: Real | None = Field(
        default=None,
        gt=0,
        description="no candle for so many seconds after one was due is an alert; null: as the "
        "stack says (MELA_ALERTS__SILENCE_S)",
    )


class _Asked(Part):
    schema_version: Literal[1] = Field(default=1, description="of this schema")
    name: str = Field(min_length=1, max_length=200, description="what people call it")
    instruments: tuple[str, ...] = Field(
        min_length=1,
        max_length=1_000,
        examples=[["alpaca:BTC/USD"]],
        description="each as venue:symbol; named twice counts once",
    )
    mode: Literal["each", "together"] = Field(
        default="each",
        description="each: an account per instrument; together: one account for all of them",
    )
    interval: Interval = Field(description="length of a candle")
    strategy: StrategyChoice | None = Field(
        default=None, description="what decides on each close; null where champion_of says it"
    )
    champion_of: UUID | None = Field(
        default=None, description="take strategy and parameters of this scene's best run instead"
    )


class Session(RunTerms, _Asked):
    """Ask for one strategy on instruments, from now on until somebody stops it."""

    inputs: dict[str, SeriesChoice] = Field(
        default_factory=dict, description="as in a scene: other series for a strategy's inputs"
    )
    sessions: SessionHours | None = Field(
        default="regular", description="the hours of the market in which orders may be given"
    )
    feed: Feed = Field(default=Feed(), description="where candles come from")
    broker: Broker = Field(default=PaperBroker(), description="who fills orders")
    money: Money = Field(
        default="paper",
        description="live: real money, which the settings must allow and a person confirm",
    )
    news: NewsRule | None = Field(default=None, description="null: headlines halt nothing")
    alerts: AlertRule = Field(default=AlertRule(), description="what the owner is told")

    @field_validator("instruments")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parse_name(name)
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _can_be_traded(self) -> Self:
        if (self.strategy is None) == (self.champion_of is None):
            raise ValueError("a session has a strategy or champion_of, one of the two")
        if self.portfolio is not None and self.mode == "each":
            raise ValueError("a portfolio needs mode together, but this session's mode is each")
        if self.engine != "mela":
            raise ValueError(f"a session trades with engine mela, but found {self.engine}")
        if self.money == "live" and isinstance(self.broker, PaperBroker):
            raise ValueError("money: live needs a broker of kind alpaca, but this one is paper")
        if isinstance(self.entry, StopEntry) and isinstance(self.broker, AlpacaBroker):
            raise ValueError(  # noqa: TRY004  pydantic takes no other
                "entry.kind stop is not offered with broker alpaca, which has no such order for "
                "all that it trades; take market or limit"
            )
        step = self.interval.fixed_ms
        is_long = self.interval.is_intraday and (step or 0) > LONGEST_EXTENDED_MS
        if self.hours == "extended" and is_long and self._has_hours_around:
            raise ValueError(
                f"sessions: extended needs candles of at most 30m, but found {self.interval}: a "
                "longer one lies in two parts of the day; take a shorter interval, or sessions: "
                "regular"
            )
        if self.mode == "together" and not self.fills_plainly:
            raise ValueError(
                "an account of several instruments trades on paper with plain fills; take mode "
                "each, or a broker of kind paper with fills: plain"
            )
        return self

    @property
    def hours(self) -> SessionHours:
        """Return the hours of the market whose candles it hears of, where it has sessions."""
        return "regular" if self.sessions is None else self.sessions

    @property
    def _has_hours_around(self) -> bool:
        return any(has_hours_around(infer(name).calendar) for name in self.instruments)

    @property
    def fills_plainly(self) -> bool:
        """Tell whether fills are a backtest's: its trades are then those of `scene`."""
        return isinstance(self.broker, PaperBroker) and self.broker.fills == "plain"

    def with_strategy(self, strategy: StrategyChoice) -> Session:
        """Return the session with the strategy that `champion_of` turned out to mean."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Session.model_validate({**values, "strategy": strategy, "champion_of": None})

    def scene(self, start: datetime, end: datetime) -> Scene:
        """Return the scene that asks the same of the candles of [start, end).

        An instrument whose candles end is held there: no session knows on a close that it is the
        last. Raises ValueError while only `champion_of` says what is traded.
        """
        if self.strategy is None:
            raise ValueError(
                f"the session {self.name!r} takes its strategy from {self.champion_of}; look that "
                "up first, and give it with with_strategy"
            )
        same: dict[str, Any] = {
            name: getattr(self, name)
            for name in Scene.model_fields
            if name in type(self).model_fields and name != "schema_version"
        }
        if self.portfolio is not None:
            same["portfolio"] = self.portfolio.model_copy(update={"delisted": "hold"})
        elif self.mode == "together":
            same["portfolio"] = {"delisted": "hold"}
        return Scene(**same, start=start, end=end)

    def content(self) -> dict[str, Any]:
        """Return the session as JSON values, defaults too: what a log keeps stays what it was."""
        return self.model_dump(mode="json", by_alias=True)


def parse_session(document: Any) -> Session:
    """Return a validated session. Raises SceneInvalid with the first fault."""
    if not isinstance(document, Mapping):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            None,
            f"expected an object with a session's fields, but found {type(document).__name__}",
        )
    try:
        return Session.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD, field_path(fault), fault_sentence(fault)
        ) from error
