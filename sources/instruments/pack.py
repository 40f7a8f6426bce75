"""Write the rows of packaged.csv that recorded answers state: `python -m sources.instruments.pack`.

recorded.json holds what services answered about an instrument, as they wrote it. A row that no
answer states stays as it is: somebody wrote it, and its source says so.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mela.instrument import Instrument
from sources import binance, yahoo_markets
from sources.instruments import PACKAGED

RECORDED = Path(__file__).with_name("recorded.json")
FACTS = ("kind", "base", "quote", "calendar", "timezone", "exchange", "tick", "lot", "listed_on")
COLUMNS = ("instrument", *FACTS, "seen_on", "source")


def packed() -> str:
    """Return the packaged file as the recorded answers make it."""
    with PACKAGED.open(encoding="utf-8", newline="") as lines:
        rows = {row["instrument"]: row for row in csv.DictReader(lines)}
    rows |= {row["instrument"]: row for row in stated()}
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([rows[name][column] for column in COLUMNS] for name in sorted(rows))
    return text.getvalue()


def stated() -> Iterator[dict[str, str]]:
    """Yield the row of each recorded answer."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    for answer in recorded["binance"]:
        yield _row(binance.instrument_of(answer["symbol"]), answer)
    for answer in recorded["yahoo"]:
        meta = answer["meta"]
        zone = ZoneInfo(meta["exchangeTimezoneName"])
        first = datetime.fromtimestamp(meta["firstTradeDate"], zone)
        described = yahoo_markets.instrument_of(meta["symbol"], meta | {"firstTradeDate": first})
        yield _row(described, answer)


def _row(found: Instrument, answer: Mapping[str, Any]) -> dict[str, str]:
    facts = {name: getattr(found, name) for name in FACTS}
    spelled = {name: "" if value is None else _spelled(value) for name, value in facts.items()}
    about = {"seen_on": answer["seen_on"], "source": answer["source"]}
    return {"instrument": found.name, **spelled, **about}


def _spelled(value: object) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PACKAGED.write_text(packed(), encoding="utf-8", newline="")
