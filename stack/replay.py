"""The offline market-data server, as a service."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from mela.settings import REPOSITORY
from stack.environment import explicit_settings
from stack.ports import LOOPBACK
from stack.service import Program, Service, Site, marked

PORT = "MELA_STACK_REPLAY_PORT"


def service() -> Service:
    """Describe `mela replay` to the supervisor."""
    return Service(
        name="replay",
        address=lambda settings: settings.replay_url or "",
        program=_program,
        probe=lambda site, _pid: _probe(int(site.kept[PORT])),
        optional=True,
    )


def address(kept: Mapping[str, str]) -> str:
    """Return the address for market-data clients, by what stack.env keeps."""
    return f"http://{LOOPBACK}:{kept[PORT]}"


def _program(site: Site) -> Program:
    mela = Path(sys.executable).with_name("mela")
    where = () if site.listen == LOOPBACK else ("--host", site.listen)
    return Program(
        command=(str(mela), "replay", "--port", site.kept[PORT], *where),
        # `mela` may be another clone's where several share an environment
        environment={
            **explicit_settings(site.settings),
            "PYTHONPATH": str(REPOSITORY),
            **marked(site),
        },
        directory=REPOSITORY,
    )


def _probe(port: int) -> str | None:
    try:
        socket.create_connection((LOOPBACK, port), timeout=2).close()
    except OSError as error:
        return f"nothing listens on {LOOPBACK}:{port}: {error}"
    return None
