"""Instants in UTC: as text, as milliseconds, as datetimes."""

from __future__ import annotations

from datetime import UTC, datetime


def instant_text(at: datetime) -> str:
    """Return the canonical text of an instant: UTC with `Z`, and a fraction only if it has one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_ms(at: datetime) -> int:
    """Return an aware datetime as UTC milliseconds, rounded up to suit half-open bounds."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return -(-micros // 1000)


def from_ms(ms: int) -> datetime:
    """Return UTC milliseconds as an aware datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)
