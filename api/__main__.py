"""Serve the application: `python -m api [ADDRESS]`, loopback by default.

It starts on another address only where `MELA_API__PUBLIC_URL` says how browsers reach it, so that
nobody's password travels in the clear by oversight.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from mela.errors import MelaError, SettingsInvalid
from mela.settings import Settings
from services import accounts, asking, sending

LOG = structlog.get_logger(__name__)
LOOPBACK = "127.0.0.1"
FIRST, FIRST_PASSWORD = "admin", "MELA_STACK_API_PASSWORD"
CLOSE_S = 5  # an open stream of events must not hold a stop up


def application() -> FastAPI:
    """Return the application of a worker; settings come from its environment."""
    plain_logs()
    settings = Settings()
    threading.Thread(target=_warm, args=(settings,), daemon=True).start()
    sweep, never = sending.Sweep(settings), threading.Event()
    threading.Thread(target=sweep.run, args=(never,), name="mela-sweep", daemon=True).start()
    return create_app(settings)


def _warm(settings: Settings) -> None:
    try:
        asking.warm(settings)
    except MelaError as error:  # the first scene then says so to whoever asks for it
        LOG.warning("not_warmed", error=str(error))


def check_address(settings: Settings, address: str) -> None:
    """Refuse to listen beyond this machine without an address by which browsers come safely.

    Raises SettingsInvalid.
    """
    try:
        is_local = ip_address(address).is_loopback
    except ValueError:
        is_local = address == "localhost"
    if not is_local and settings.api.public_url is None:
        raise SettingsInvalid(
            f"the web application was told to listen on {address}, beyond this machine, and starts "
            "there only behind TLS: set MELA_API__PUBLIC_URL to the https:// address of the proxy "
            "in front of it, and MELA_API__TRUSTED_PROXIES to the proxy's address."
        )


def plain_logs() -> None:
    """Write a line an event, tracebacks without locals, which may be secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.WriteLoggerFactory(),
    )


def main(words: Sequence[str]) -> int:
    """Serve until told to stop; return the exit status."""
    plain_logs()
    address = words[0] if words else LOOPBACK
    settings = Settings()
    try:
        check_address(settings, address)
        password = os.environ.get(FIRST_PASSWORD)
        if password and accounts.ensure_first(settings, FIRST, password):
            LOG.info("first_account_made", user=FIRST)
    except MelaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    proxies = settings.api.trusted_proxies
    uvicorn.run(
        "api.__main__:application",
        factory=True,
        host=address,
        port=urlsplit(settings.api.url).port or 8000,
        workers=settings.api.workers,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=CLOSE_S,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
