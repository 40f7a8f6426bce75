"""Serve the application: `python -m api [ADDRESS]`, loopback by default.

It starts on another address only where `MELA_API__PUBLIC_URL` says by which https address browsers
reach it, and `MELA_API__TRUSTED_PROXIES` through whom, so that nobody's password travels in the
clear by oversight.
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
from mela.loopback import is_loopback
from mela.settings import Settings
from services.accounts import accounts
from services.scenes import scene_requests, sender

LOG = structlog.get_logger(__name__)
LOOPBACK = "127.0.0.1"
FIRST, FIRST_PASSWORD = "admin", "MELA_STACK_API_PASSWORD"
CLOSE_S = 5  # an open stream of events must not hold a stop up


def application() -> FastAPI:
    """Return the application of a worker; settings come from its environment."""
    plain_logs()
    settings = Settings()
    threading.Thread(target=_warm, args=(settings,), daemon=True).start()
    sweep, never = sender.Sweep(settings), threading.Event()
    threading.Thread(target=sweep.run, args=(never,), name="mela-sweep", daemon=True).start()
    return create_app(settings)


def _warm(settings: Settings) -> None:
    try:
        scene_requests.warm(settings)
    except MelaError as error:  # the first scene then says so to whoever asks for it
        LOG.warning("not_warmed", error=str(error))


def check_address(settings: Settings, address: str) -> None:
    """Refuse to listen beyond this machine without an address by which browsers come safely.

    A proxy that is not named would make all who come through it one address, and believed by
    mistake anybody could claim any. Raises SettingsInvalid.
    """
    try:
        is_local = ip_address(address).is_loopback
    except ValueError:
        is_local = address == "localhost"
    if is_local:
        return
    api = settings.api
    public = urlsplit(api.public_url or "")
    if api.is_published_on_loopback and is_loopback(public):
        return
    missing: list[str] = []
    if public.scheme != "https" or _is_this_machine(public.hostname or ""):
        missing.append(
            "MELA_API__PUBLIC_URL, the https:// address by which browsers reach a proxy in front "
            f"of it (found {api.public_url or 'nothing'})"
        )
    proxies = [one.strip() for one in api.trusted_proxies.split(",") if one.strip()]
    if not proxies or "*" in proxies:
        missing.append(
            "MELA_API__TRUSTED_PROXIES, the address or network of that proxy "
            f"(found {api.trusted_proxies.strip() or 'nothing'})"
        )
    if missing:
        raise SettingsInvalid(
            f"the web application was told to listen on {address}, beyond this machine, and starts "
            f"there only behind TLS: set {'; and '.join(missing)}. In a container whose port is "
            "published on loopback alone, MELA_API__IS_PUBLISHED_ON_LOOPBACK=true says so, and "
            "MELA_API__PUBLIC_URL is that port's http:// address."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
