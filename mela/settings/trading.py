"""The settings of live trading."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TradingSettings(BaseModel):
    """Sessions of paper and live trading, and the process that runs them."""

    model_config = ConfigDict(frozen=True)

    allow_live: bool = Field(
        default=False,
        description="whether a session may trade money at all; it must ask for it too, and whoever "
        "starts it types its name again",
    )
    reconcile_s: float = Field(
        default=60.0, ge=1, description="seconds between two comparisons with the broker"
    )
    snapshot_events: int = Field(
        default=500, ge=1, description="events after which a session's state is kept once more"
    )
    patience_s: float = Field(
        default=10.0,
        gt=0,
        description="seconds after its close in which a candle may still come; then it is asked "
        "for, and if the market has none, a session goes on without it",
    )
    hang_s: float = Field(
        default=5.0,
        gt=0,
        description="seconds after which a kill switch that sessions have not obeyed is carried "
        "out beside them",
    )
    news_feeds: tuple[str, ...] = Field(
        default=(),
        description="addresses of RSS or Atom feeds whose headlines sessions with a rule for news "
        "hear of, a JSON list, besides Alpaca's",
    )
    news_s: float = Field(
        default=60.0, ge=1, description="seconds between two looks at the news, while one is asked"
    )
