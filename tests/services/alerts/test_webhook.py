"""Alerts reach a webhook, and one that fails is logged without its address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from mela.settings import Settings
from services.alerts.webhook import post_alert

TOKEN = "a-token"
HEARD: list[dict[str, Any]] = []
STATUS = {"code": 200}


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            HEARD.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(STATUS["code"])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    HEARD.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{TOKEN}"
        server.shutdown()


@pytest.mark.parametrize(("code", "delivered"), [(200, True), (503, False)])
def test_an_alert_is_posted_and_a_refusal_logged(url: str, code: int, delivered: bool) -> None:
    STATUS["code"] = code
    with capture_logs() as logs:
        settings = Settings(alert_webhook=SecretStr(url))
        assert post_alert("query_failing", {"text": "run failed"}, settings) is delivered
    assert HEARD == [{"event": "query_failing", "text": "run failed"}]
    assert [line.get("answer") for line in logs] == ([] if delivered else [503])
    assert TOKEN not in str(logs)


def test_a_webhook_that_is_away_is_logged_without_its_address() -> None:
    with capture_logs() as logs:
        settings = Settings(alert_webhook=SecretStr(f"http://127.0.0.1:9/{TOKEN}"))
        assert not post_alert("query_failing", {"text": "run failed"}, settings)
    assert [line["answer"] for line in logs] == ["ConnectError"]
    assert TOKEN not in str(logs)


def test_without_a_webhook_nothing_is_sent() -> None:
    assert not post_alert("query_failing", {"text": "run failed"}, Settings())
