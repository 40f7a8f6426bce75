"""Facts of instruments that need no service: packaged ones, else those of the name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from mela.inference import infer
from mela.instrument import FactOrigin, Instrument, parse_name, read_kind

PACKAGED = Path(__file__).with_name("packaged.csv")


def describe(name: str) -> Instrument:
    """Return what is known of an instrument without asking: the packaged facts, else inferred ones.

    Raises ValueError for a malformed name.

    >>> describe("binance:BTCUSDT").how("tick"), describe("yahoo:TSLA").how("calendar")
    ('packaged', 'inferred')
    """
    return packaged().get(name) or infer(name)


@lru_cache(maxsize=1)
def packaged() -> Mapping[str, Instrument]:
    """Return the packaged instruments by name. NOTICE.md names the origin of their facts."""
    with PACKAGED.open(encoding="utf-8", newline="") as lines:
        return MappingProxyType({one.name: one for one in _instruments(csv.DictReader(lines))})


def _instruments(rows: Iterator[dict[str, str]] | csv.DictReader[str]) -> Iterator[Instrument]:
    for row in rows:
        venue, symbol = parse_name(row["instrument"])
        seen = datetime.fromisoformat(row["seen_on"]).replace(tzinfo=UTC)
        kind = read_kind(row["kind"])
        facts = {
            "kind": kind,
            **{name: row[name] or None for name in ("base", "quote", "calendar", "timezone")},
            "exchange": row["exchange"] or None,
            **{name: float(row[name]) if row[name] else None for name in ("tick", "lot")},
            "listed_on": date.fromisoformat(row["listed_on"]) if row["listed_on"] else None,
        }
        bare = Instrument(venue, symbol, kind, row["quote"], row["calendar"])
        yield bare.with_facts(facts, FactOrigin("packaged", row["source"], seen))
