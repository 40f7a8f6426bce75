"""Instants on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.console import fail


def instant(text: str, option: str) -> datetime:
    """Return an instant in UTC. A day means its 00:00 UTC; a time of day needs its zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise fail(
            f"{option} expects a day or an instant, as 2022-01-01, but found {text!r}."
        ) from error
    if at.tzinfo is None:
        if len(text) > len("2022-01-01"):
            raise fail(f"{option} needs a zone with its time, as {text}Z.")
        at = at.replace(tzinfo=UTC)
    return at.astimezone(UTC)


def span(start: str, end: str) -> tuple[datetime, datetime]:
    """Return the instants of --from and --to, the second after the first."""
    first, last = instant(start, "--from"), instant(end, "--to")
    if last <= first:
        raise fail(f"--to must be after --from, but {end} is not after {start}.")
    return first, last
