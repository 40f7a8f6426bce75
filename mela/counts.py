"""Counts in sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "run"), counted(1200, "run"), counted(2, "process")
    ('1 run', '1,200 runs', '2 processes')
    """
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else ending}"


def first_of(number: int, noun: str = "candle") -> str:
    """Return the first so many of something.

    >>> first_of(1), first_of(2000)
    ('the first candle', 'the first 2,000 candles')
    """
    return f"the first {noun}" if number == 1 else f"the first {counted(number, noun)}"
