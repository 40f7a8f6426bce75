"""Scenes that are published on the containers, and what the warehouse keeps of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.delivery.engine.stack import PORTS, ROOT, Failed, Stack

FIRST = (ROOT / "docs" / "scenes" / "first.yaml").read_text(encoding="utf-8")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STORED = """
SELECT json_build_object(
    'scenes', (SELECT count(*) FROM ops.scene),
    'runs', (SELECT count(*) FROM ops.result),
    'candles', (SELECT count(*) FROM raw.candle)
)"""


def grid(name: str, runs: int, cash: int) -> dict[str, Any]:
    """Return a scene of `runs` runs, a multiple of 120, on a year of hourly candles.

    cash: in which two grids differ, so that none is answered from the other's results
    """
    stops = [None, *(round(0.01 * hundredths, 2) for hundredths in range(1, 10))]
    space = {
        "strategy.params.fast": {"from": 5, "to": 16, "step": 1},
        "strategy.params.slow": {"from": 40, "to": 39 + runs // 120, "step": 1},
        "exits.stop_loss": stops,
    }
    return {
        "schema_version": 1,
        "name": name,
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "strategy": {"name": "sma_cross"},
        "cash": cash,
        "search": {"kind": "grid", "space": space},
    }


def publish(stack: Stack, text: str) -> str:
    """Publish a scene in a container, by standard input, and wait for its end; return its id."""
    return _id(stack.mela("publish", "/dev/stdin", "--follow", given=text))


def publish_from_here(stack: Stack, client: Path, scene: dict[str, Any]) -> str:
    """Publish a scene by this machine's command line, through the published ports."""
    authority = stack.compose(
        "run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "mela",
        "/var/lib/mela/authority/ca.pem",
    )  # fmt: skip
    file, certificate = stack.folder / "scene.yaml", stack.folder / "ca.pem"
    file.write_text(json.dumps(scene), encoding="utf-8")
    certificate.write_text(authority, encoding="utf-8")
    secrets = stack.secrets()
    home = stack.folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    given = {
        "MELA_HOME": str(home),
        "MELA_KAFKA__BROKERS": f"127.0.0.1:{PORTS['KAFKA']}",
        "MELA_KAFKA__PROTOCOL": "SASL_SSL",
        "MELA_KAFKA__CA": str(certificate),
        "MELA_KAFKA__USER": "mela-publisher",
        "MELA_KAFKA__PASSWORD": secrets["MELA_KAFKA__PASSWORD"],
        "MELA_KAFKA__READER": "mela-reader",
        "MELA_KAFKA__READER_PASSWORD": secrets["MELA_KAFKA__READER_PASSWORD"],
        "MELA_POSTGRES__PORT": str(PORTS["POSTGRES"]),
        "MELA_POSTGRES__PASSWORD": secrets["MELA_POSTGRES__PASSWORD"],
    }
    words = [f"{key}={value}" for key, value in given.items()]
    done = stack.attempt(["env", *words, str(client), "publish", str(file), "--follow"])
    if done.returncode != 0:
        raise Failed(f"publishing from this machine failed: {done.stdout}{done.stderr}")
    return _id(done.stdout + done.stderr)


def stored(stack: Stack) -> dict[str, int]:
    """Return how many scenes, results and candles the warehouse has."""
    return json.loads(stack.sql(_STORED))


def must_be_as_before(stack: Stack, before: dict[str, int]) -> None:
    """Raise Failed if the warehouse has something less or more than before."""
    after = stored(stack)
    if after != before:
        raise Failed(f"expected {before} in the warehouse, but found {after}")


def _id(text: str) -> str:
    found = _ID.search(text)
    if found is None:
        raise Failed(f"expected a scene's id, but found:\n{text[-2000:]}")
    return found[0]
