"""The loopback server of `mela replay`: real candles in the formats of the market-data services."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit

import structlog

from replay.alpaca import PAGE_ROWS, AlpacaApi
from replay.answer import Answer, Api, Request, as_json
from replay.archive import ArchiveApi
from replay.binance import BinanceApi
from replay.control import PREFIX, Control
from replay.exchanges import ExchangesApi
from replay.faults import Fault, Faults, answer_of, corrupt
from replay.series import PACKAGED, Catalog
from replay.streams.streams import Streams
from replay.trading.api import TradingApi
from replay.trading.desk import Desk
from replay.weight import LIMIT, Weight
from replay.yahoo import YahooApi
from sources.protocol import to_ms

LOOPBACK = "127.0.0.1"
log = structlog.get_logger()


class ReplayServer(ThreadingHTTPServer):
    """Serve a catalog; as a context manager, in a thread of its own.

    requests: the latest paths with their queries, in order of arrival
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        catalog: Catalog,
        faults: Sequence[Fault],
        *,
        weight_limit: int = LIMIT,
        any_age: bool = False,
        page_rows: int = PAGE_ROWS,
        state: Path | None = None,
    ) -> None:
        super().__init__(address, _Handler)
        self.catalog = catalog
        self.faults = Faults(faults)
        self.requests: deque[str] = deque(maxlen=10_000)
        binance = BinanceApi(catalog, Weight(weight_limit))
        self.desk = Desk(catalog, state)
        self.streams = Streams(catalog, self.desk.updates)
        self._apis: tuple[Api, ...] = (  # Yahoo comes last, because its paths have no prefix
            Control(catalog, self.faults, self.streams.disturbances, self.desk),
            ExchangesApi(catalog, binance),
            TradingApi(catalog, self.desk),
            AlpacaApi(catalog, page_rows),
            binance,
            ArchiveApi(catalog),
            YahooApi(catalog, any_age=any_age),
        )
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Return the address for MELA_REPLAY_URL."""
        return f"http://{self.server_address[0]}:{self.server_port}"

    def answer(self, request: Request) -> Answer:
        """Return the answer of the first service that has the path."""
        for api in self._apis:
            if found := api.answer(request):
                return found
        return as_json({"error": f"mela replay does not know {request.path}"}, 404)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.streams.stop()
        self.desk.stop()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive: a year of minutes is 526 requests
    wbufsize = -1  # send head and body together
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._stream()
        else:
            self._respond(b"")

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_DELETE(self) -> None:
        self._respond(b"")

    def do_PATCH(self) -> None:
        self.do_POST()

    def _stream(self) -> None:
        """Serve a websocket on this connection until its client leaves."""
        server = cast(ReplayServer, self.server)
        server.requests.append(self.path)
        parts = urlsplit(self.path)
        stream = server.streams.stream_of(parts.path)
        fault = server.faults.next(parts.path)
        if fault is not None and fault.status is not None:
            self._send(answer_of(fault))
        elif fault is not None:
            self.close_connection = True
        elif stream is None:
            self._send(as_json({"error": f"mela replay has no stream at {parts.path}"}, 404))
        elif server.streams.is_refused(stream):
            self._send(as_json({"error": "no connections now"}, 503))
        else:
            self.connection.settimeout(None)
            self.close_connection = True
            named = [(name, value) for name, value in self.headers.items()]
            server.streams.serve(self.connection, parts.path, parts.query, named)

    def _respond(self, body: bytes) -> None:
        server = cast(ReplayServer, self.server)
        server.requests.append(self.path)
        parts = urlsplit(self.path)
        is_change = parts.path.startswith(PREFIX) and self.command != "GET"
        if is_change and self.client_address[0] != LOOPBACK:
            self._send(as_json({"error": "only this machine may change a replay"}, 403))
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(parts.path, query, headers, self.command, body)
        fault, done = server.faults.next(parts.path, self.command), None
        if fault is not None:
            done = server.answer(request) if fault.is_done else None
            server.faults.hold(fault)
            if fault.status is None:
                self.close_connection = True
                return
        if fault is not None and fault.status != HTTPStatus.OK:
            answer = answer_of(fault)
        else:
            answer = server.answer(request) if done is None else done
        if fault is not None and fault.spoiled:
            answer = corrupt(answer)
        self._send(answer, fault.cut_after if fault else None)

    def _send(self, answer: Answer, cut_after: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(answer.body[:cut_after])
            self.wfile.flush()
        except ConnectionError as error:  # the client did not wait for the answer
            log.debug("replay_left", path=self.path, reason=str(error))
            self.close_connection = True
        if cut_after is not None:
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the replayed now: clients judge by it which candles are closed."""
        now_s = cast(ReplayServer, self.server).catalog.now_ms / 1000
        at = datetime.fromtimestamp(now_s if timestamp is None else timestamp, UTC)
        return format_datetime(at, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("replayed", request=format % args)


def create_server(
    data: Path | None = None,
    port: int = 0,
    host: str = LOOPBACK,
    *,
    now: datetime | None = None,
    faults: Sequence[Fault] = (),
    weight_limit: int = LIMIT,
    any_age: bool = False,
    page_rows: int = PAGE_ROWS,
    state: Path | None = None,
) -> ReplayServer:
    """Bind a server; port 0 takes a free port. Use it with `with`, or call serve_forever.

    data: a folder of Parquet files; None serves the packaged ones
    now: the current time of the services; by default inside the newest candle. Later ones are
        hidden
    weight_limit: Binance's request weight per minute of the real clock
    any_age: let Yahoo return intraday candles of any age
    page_rows: the maximum rows of one page of Alpaca
    state: a file that keeps accounts and the playing clock, so that the next server goes on
    Raises ValueError if the folder holds no candles.
    """
    catalog = Catalog(data or PACKAGED, None if now is None else to_ms(now))
    return ReplayServer(
        (host, port),
        catalog,
        faults,
        weight_limit=weight_limit,
        any_age=any_age,
        page_rows=page_rows,
        state=state,
    )


def serve(
    port: int,
    data: Path | None = None,
    host: str = LOOPBACK,
    *,
    faults: Sequence[Fault] = (),
    any_age: bool = False,
    state: Path | None = None,
    play_from: datetime | None = None,
    speed: float = 1.0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted. `ready` receives the address once requests are answered.

    play_from, speed: where the clock begins to run, and how fast; it stands still without them
    """
    server = create_server(data, port, host, faults=faults, any_age=any_age, state=state)
    if play_from is not None:
        server.catalog.clock.play(to_ms(play_from), speed)
    log.info("replay_ready", url=server.url, symbols=server.catalog.symbols())
    if ready is not None:
        ready(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        log.info("replay_stopped", url=server.url)
    finally:
        server.streams.stop()
        server.desk.stop()
        server.server_close()
