"""The settings of alerts: who hears of them, from which level on, and when they keep quiet."""

from __future__ import annotations

import re
from datetime import time
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

Level = Literal["info", "warning", "error", "critical"]
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class AlertSettings(BaseModel):
    """Alerts of trading and of drift. The webhook of `MELA_ALERT_WEBHOOK` hears them too."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    receivers: tuple[SecretStr, ...] = Field(
        default=(),
        description="addresses as apprise writes them, a JSON list: tgram://token/chat, "
        "mailtos://…, slack://…, jsons://host/path",
    )
    level: Level = Field(default="warning", description="the least that is delivered")
    quiet: str = Field(
        default="", description="hours in which only quiet_level is told, such as 22:00-07:00"
    )
    quiet_level: Level = Field(
        default="critical", description="the least that is delivered in quiet hours"
    )
    zone: str = Field(default="UTC", description="whose clock quiet hours and the digest go by")
    coalesce_s: float = Field(
        default=300.0,
        ge=0,
        description="what was told is not told again for so long; it is counted meanwhile",
    )
    silence_s: float = Field(
        default=300.0,
        gt=0,
        description="a process that trades, or a running session in its market's hours, of which "
        "nothing is heard for so long beyond a candle's length is an alert",
    )
    digest: str = Field(
        default="",
        description="when a summary of the last day is told, such as 08:00; empty: never",
    )
    keep_hours: float = Field(
        default=72.0, gt=0, description="an alert that nobody took for so long is given up"
    )
    drift_bound: float = Field(
        default=0.001,
        ge=0,
        description="a session that differs from its backtest by more than this fraction of its "
        "opening cash is an alert",
    )

    @field_validator("quiet")
    @classmethod
    def _are_hours(cls, text: str) -> str:
        if text and not all(_CLOCK.fullmatch(one) for one in text.partition("-")[::2]):
            raise ValueError("expected two times such as 22:00-07:00")
        return text

    @field_validator("digest")
    @classmethod
    def _is_time(cls, text: str) -> str:
        if text and not _CLOCK.fullmatch(text):
            raise ValueError("expected a time such as 08:00")
        return text

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError("expected a time zone such as UTC or Europe/Berlin") from error
        return name

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """Return when quiet hours begin and end, by the clock of `zone`."""
        if not self.quiet:
            return None
        begin, _, end = self.quiet.partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)
