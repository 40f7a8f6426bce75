"""Format numbers, tables and folded sections for a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

OPEN_ROWS = 12  # a longer table folds
MOST_DIGITS = 10
FRACTIONS = frozenset(
    {
        *("total_return", "max_drawdown", "cagr", "volatility_ann", "exposure_time", "win_rate"),
        *("buy_hold_return", "avg_drawdown", "avg_trade", "best_trade", "worst_trade"),
    }
)


def change(base: Any, head: Any, name: str = "") -> str:
    """Return a value of both sides, once if they are equal.

    >>> change(0.5, 0.25, "win_rate"), change(3, 3)
    ('50.00 % → 25.00 %', '3')
    """
    return number(head, name) if base == head else " → ".join(apart(base, head, name))


def apart(base: Any, head: Any, name: str = "") -> tuple[str, str]:
    """Return two values with enough digits to tell them apart.

    >>> apart(0.5, 0.50001)
    ('0.500000', '0.500010')
    """
    for digits in range(0, MOST_DIGITS, 2):
        shown = number(base, name, digits), number(head, name, digits)
        if shown[0] != shown[1] or base == head:
            return shown
    return repr(base), repr(head)


def number(value: Any, name: str = "", more: int = 0) -> str:
    """Return a value in a table's format. more: digits beyond the usual ones."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if name in FRACTIONS:
        return f"{100 * value:.{2 + more}f} %"
    return f"{value:,.{4 + more}f}" if abs(value) < 1e6 else f"{value:,.{more}f}"


def delta(base: Any, head: Any) -> str:
    """Return how far one number is above the other; empty if either is not a number."""
    numbers = all(isinstance(value, int | float) for value in (base, head))
    return f"{head - base:+.3g}" if numbers and base != head else ""


def price(value: float) -> str:
    """Return a price, a size or a profit with a readable number of digits."""
    return f"{value:,.6g}" if abs(value) < 1e5 else f"{value:,.2f}"


def instant(text: str) -> str:
    """Return an instant without its zone, which is always UTC.

    >>> instant("2023-01-30T20:00:00+00:00")
    '2023-01-30 20:00'
    """
    return text.replace("T", " ").removesuffix("+00:00").removesuffix(":00")


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return names as code; of many, only the first few.

    >>> listed(["a", "b", "c"], most=2)
    '`a`, `b` and 1 more'
    """
    every = list(names)
    more = len(every) - most
    text = ", ".join(f"`{name}`" for name in every[:most])
    return f"{text} and {more} more" if more > 0 else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    """Return text escaped so that it neither ends a cell nor begins a tag."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def folding(body: str, rows: int, of: str) -> str:
    """Return a body, folded if it has many rows."""
    return body if rows <= OPEN_ROWS else folded(f"{rows} {of}", body)


def folded(title: str, body: str) -> str:
    """Return a body that is shown on request."""
    return f"<details><summary>{cell(title)}</summary>\n\n{body}\n\n</details>"
