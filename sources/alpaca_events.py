"""Splits and dividends from Alpaca's corporate actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from mela.calendars import date_ms
from sources.alpaca_library import CorporateActionsRequest, CorporateActionsType
from sources.protocol import CorporateAction

_TYPES = [
    CorporateActionsType.FORWARD_SPLIT,
    CorporateActionsType.REVERSE_SPLIT,
    CorporateActionsType.STOCK_DIVIDEND,
    CorporateActionsType.CASH_DIVIDEND,
]
# The service filters by the day it processes an event: for a dividend weeks after the ex-date,
# for some splits a few days before it.
_BEFORE, _AFTER = timedelta(days=14), timedelta(days=120)


def events_of(client: Any, symbol: str, start: date, today: date) -> tuple[CorporateAction, ...]:
    """Return the events with an ex-date in [start, today], oldest first, splits before dividends.

    A stock dividend counts as a split: so many new shares for each old one. Several events of one
    kind
    on one date become one event: ratios are multiplied and payments are added.
    """
    # limit=None, because the client's default stops after a thousand events
    request = CorporateActionsRequest(
        symbols=[symbol], types=_TYPES, start=start - _BEFORE, end=today + _AFTER, limit=None
    )
    events_by_kind: Mapping[str, list[dict[str, Any]]] = client.get_corporate_actions(request)
    splits: dict[date, float] = {}
    paid: dict[date, float] = {}
    for kind, events in events_by_kind.items():
        for event in events:
            day = date.fromisoformat(str(event["ex_date"]))
            if not start <= day <= today:
                continue
            if kind == "cash_dividends":
                paid[day] = round(paid.get(day, 0.0) + float(event["rate"]), 8)
            else:
                splits[day] = splits.get(day, 1.0) * _ratio(kind, event)
    found = [CorporateAction("split", day, date_ms(day), ratio) for day, ratio in splits.items()]
    found += [CorporateAction("dividend", day, date_ms(day), cash) for day, cash in paid.items()]
    return tuple(sorted(found, key=lambda action: (action.effective_ms, action.kind != "split")))


def _ratio(kind: str, event: Mapping[str, Any]) -> float:
    if kind == "stock_dividends":
        return 1.0 + float(event["rate"])
    return float(event["new_rate"]) / float(event["old_rate"])
