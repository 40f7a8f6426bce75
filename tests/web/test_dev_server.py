"""The server of those who work on the pages: it rebuilds them, and asks a running API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from mela.settings import REPOSITORY, Settings
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
PATIENCE_S = 60


def test_pages_are_served_while_they_are_worked_on_and_ask_the_running_api(site: Settings) -> None:
    with dev_server(site.api.url) as address, httpx.Client(base_url=address) as browser:
        assert "/src/main.tsx" in browser.get("/").text
        assert "createRoot" in browser.get("/src/main.tsx").text
        signed_in = browser.post(
            "/api/v1/session",
            json={"user": "tom", "password": PASSWORD},
            headers={"Origin": address},
        )
        assert signed_in.status_code == 200, signed_in.text
        assert browser.get("/api/v1/session").json()["user"] == "tom"


@contextmanager
def dev_server(api: str) -> Iterator[str]:
    """Run the command of docs/web.md, and yield the address of its pages."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--", "--host", "127.0.0.1", "--port", str(port), "--strictPort")
    server = subprocess.Popen(
        ("sh", "web/node.sh", "npm", "run", "dev", *where),
        cwd=REPOSITORY,
        env={**os.environ, "MELA_WEB_API": api},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that its children end with it
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and server.poll() is None:
            try:
                httpx.get(address)
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        else:
            raise AssertionError(f"no dev server on {address}: {server.returncode}")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=20)
