"""The paths of Alpaca's trading API, as alpaca-py's TradingClient asks for them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import orjson

from replay.alpaca import PREFIX as ALPACA
from replay.answer import Answer, Query, Request, as_json
from replay.series import Catalog
from replay.trading import answers, checks
from replay.trading.desk import Desk
from replay.trading.records import Account, Order
from replay.trading.refusals import Refusal, missing, wrong
from sources.protocol import to_ms

PREFIX = f"{ALPACA}v2/"
_HEADS = ("account", "orders", "positions", "clock", "calendar")
_MOST_ORDERS, _MOST_FILLS = 500, 100


class TradingApi:
    """Answer for the account of the key that a request carries."""

    def __init__(self, catalog: Catalog, desk: Desk) -> None:
        self._catalog = catalog
        self._desk = desk

    def answer(self, request: Request) -> Answer | None:
        """Return the answer for a path; None if the trading API has no such path."""
        path = unquote(request.path.removeprefix(PREFIX))
        head = path.replace(":", "/").partition("/")[0]
        if path == unquote(request.path) or head not in _HEADS:
            return None
        key = request.headers.get("apca-api-key-id")
        if not key or not request.headers.get("apca-api-secret-key"):
            return as_json({"code": 40110000, "message": "request is not authorized"}, 401)
        try:
            if self._desk.too_many(key):
                raise Refusal(429, 42910000, "rate limit exceeded")
            with self._desk.lock:
                self._desk.settle(key)
                return self._route(key, path, request)
        except Refusal as refusal:
            return refusal.answer()

    def _route(self, key: str, path: str, request: Request) -> Answer | None:
        head, _, rest = path.partition("/")
        match (request.method, head, rest):
            case ("GET", "account", ""):
                return as_json(self._account(self._desk.account(key)))
            case ("GET", "account", _) if rest.startswith("activities"):
                return self._activities(self._desk.account(key), rest, request.query)
            case ("GET", "clock", ""):
                return as_json(answers.clock_json(self._catalog.now_ms))
            case ("GET", "calendar", ""):
                return as_json(answers.calendar_json(*_dates(request.query)))
            case (_, "orders" | "orders:by_client_order_id", _):
                return self._orders(key, head, rest, request)
            case (_, "positions", _):
                return self._positions(key, rest, request)
            case _:
                return None

    def _orders(self, key: str, head: str, rest: str, request: Request) -> Answer | None:
        account = self._desk.account(key)
        if head != "orders":
            wanted = request.query.get("client_order_id", "")
            order = account.orders.get(account.by_client.get(wanted, ""))
            return as_json(answers.order_json(checks.found(order, wanted)))
        match (request.method, rest):
            case ("POST", ""):
                order = self._desk.submit(key, _body(request))
                return as_json(answers.order_json(order))
            case ("GET", ""):
                return as_json([answers.order_json(o) for o in _listed(account, request.query)])
            case ("DELETE", ""):
                return self._cancel_all(key, account)
            case ("GET", _):
                order = checks.found(account.orders.get(rest), rest)
                return as_json(answers.order_json(order))
            case ("DELETE", _):
                self._desk.cancel(key, checks.found(account.orders.get(rest), rest))
                return Answer(204, b"")
            case _:
                return None

    def _cancel_all(self, key: str, account: Account) -> Answer:
        done: list[dict[str, Any]] = []
        for order in account.open_orders():
            self._desk.cancel(key, order)
            done.append({"id": order.id, "status": 200, "body": answers.order_json(order)})
        return as_json(done, 207)

    def _positions(self, key: str, rest: str, request: Request) -> Answer | None:
        account = self._desk.account(key)
        symbol = next((s for s in account.positions if rest in _names(s)), None)
        if rest and symbol is None:
            raise missing("position does not exist")
        match (request.method, rest):
            case ("GET", ""):
                return as_json([self._position(account, s) for s in sorted(account.positions)])
            case ("GET", _):
                return as_json(self._position(account, symbol or ""))
            case ("DELETE", ""):
                if request.query.get("cancel_orders", "").lower() == "true":
                    self._cancel_all(key, account)
                return as_json([self._closed(key, s) for s in sorted(account.positions)], 207)
            case ("DELETE", _):
                return as_json(answers.order_json(self._close(key, symbol or "", request.query)))
            case _:
                return None

    def _closed(self, key: str, symbol: str) -> dict[str, Any]:
        try:
            order = self._close(key, symbol, {})
        except Refusal as refusal:
            return {"symbol": symbol, "status": refusal.status, "body": refusal.body}
        return {"symbol": symbol, "status": 200, "body": answers.order_json(order)}

    def _close(self, key: str, symbol: str, query: Query) -> Order:
        held = self._desk.account(key).position(symbol).qty
        qty = abs(held)
        if "qty" in query:
            qty = Decimal(query["qty"])
        elif "percentage" in query:
            share = Decimal(query["percentage"]) / 100
            qty = (qty * share).quantize(Decimal("0.000000001")).normalize()
        side = "sell" if held > 0 else "buy"
        good_for = "gtc" if "/" in symbol else "day"
        asked = {"symbol": symbol, "qty": answers.text(qty), "side": side, "type": "market"}
        return self._desk.submit(key, asked | {"time_in_force": good_for})

    def _account(self, account: Account) -> dict[str, Any]:
        means = checks.means(account, self._desk.prices, self._catalog.now_ms)
        return answers.account_json(account, *means)

    def _position(self, account: Account, symbol: str) -> dict[str, Any]:
        position = account.position(symbol)
        listed = self._desk.prices.listed(symbol)
        price = (listed and self._desk.prices.last(listed, self._catalog.now_ms)) or Decimal(0)
        side = "sell" if position.qty > 0 else "buy"
        held = sum(
            (o.left for o in account.open_orders() if o.symbol == symbol and o.side == side),
            Decimal(0),
        )
        return answers.position_json(
            symbol, position.qty, position.average, price, held, is_stock="/" not in symbol
        )

    def _activities(self, account: Account, rest: str, query: Query) -> Answer:
        kinds = rest.removeprefix("activities").strip("/") or query.get("activity_types", "FILL")
        fills = account.fills if "FILL" in kinds.split(",") else []
        after, until = _span_ms(query)
        found = [fill for fill in fills if after < fill.at_ms < until]
        if query.get("direction", "desc") == "desc":
            found.reverse()
        told = [answers.fill_json(account, fill) for fill in found]
        if token := query.get("page_token"):
            places = [row for row, each in enumerate(told) if each["id"] == token]
            told = told[places[0] + 1 :] if places else []
        return as_json(told[: min(int(query.get("page_size", _MOST_FILLS)), _MOST_FILLS)])


def _listed(account: Account, query: Query) -> list[Order]:
    status, side = query.get("status", "open"), query.get("side")
    symbols = set(filter(None, query.get("symbols", "").split(",")))
    after, until = _span_ms(query)
    if status not in ("open", "closed", "all"):
        raise wrong("invalid status: expected open, closed or all")
    found = [
        order
        for order in account.orders.values()
        if after < order.created_ms < until
        and (status == "all" or order.is_open == (status == "open"))
        and (side is None or order.side == side)
        and (not symbols or order.symbol in symbols)
    ]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    return found[: min(int(query.get("limit", 50)), _MOST_ORDERS)]


def _span_ms(query: Query) -> tuple[int, int]:
    """Return the instants that `after` and `until` exclude."""
    try:
        after = to_ms(_instant(query["after"])) if "after" in query else -1
        until = to_ms(_instant(query["until"])) if "until" in query else 2**62
    except ValueError:
        raise wrong("invalid after or until: expected RFC-3339") from None
    return after, until


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text.replace(" ", "+"))
    return at if at.tzinfo else at.astimezone()


def _dates(query: Query) -> tuple[date, date]:
    since = date.fromisoformat(query.get("start", "1970-01-01")[:10])
    return since, date.fromisoformat(query.get("end", "2029-12-31")[:10])


def _names(symbol: str) -> tuple[str, str, str]:
    return symbol, symbol.replace("/", ""), answers.asset_id(symbol)


def _body(request: Request) -> dict[str, Any]:
    try:
        asked = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    return asked
