"""The application served over HTTP in a thread of the tests: a worker as the stack starts some."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.app import PREFIX, create_app
from mela.settings import Settings


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Yield the address of the API's routes."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
    )
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{PREFIX}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        if hub := getattr(app.state, "hub", None):
            hub.close()
