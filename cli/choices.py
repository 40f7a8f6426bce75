"""The option for a candle's length, which asks what was meant by another spelling."""

from __future__ import annotations

from typing import Any

import typer

from mela.interval import Interval
from mela.name_suggestions import interval_meant, suggestion_of

NAMES = [one.value for one in Interval]


def interval_option(text: str) -> Any:
    """Return an option that is an interval. text: its help."""
    return typer.Option(
        parser=_interval,
        metavar=f"[{'|'.join(NAMES)}]",
        autocompletion=_offered,
        help=text,
    )


def _interval(word: str | Interval) -> Interval:
    if word not in NAMES:
        suggestion = suggestion_of(interval_meant(word, NAMES))
        raise typer.BadParameter(
            f"expected one of {', '.join(NAMES)}, but found {word!r}{suggestion}"
        )
    return Interval(word)


def _offered(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]
