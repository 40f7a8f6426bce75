"""Many users who read at once, in a process of its own: `python -m benchmarks.web_users`.

It reads a JSON object from standard input: `url`, `tokens`, `scenes`, `runs`, `users`, `think_s`,
`warm_s`, `seconds`, `seed`. It writes the seconds that each answer took, by what was asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np

from mela.errors import MelaError

METRICS = ("sharpe", "total_return", "trades", "max_drawdown")


def main() -> int:
    """Read what to do, do it, write what was measured."""
    asked = json.load(sys.stdin)
    json.dump(asyncio.run(_measure(asked)), sys.stdout)
    return 0


async def _measure(asked: dict[str, Any]) -> dict[str, list[float]]:
    took: dict[str, list[float]] = defaultdict(list)
    began = time.perf_counter()
    from_, until = began + asked["warm_s"], began + asked["warm_s"] + asked["seconds"]
    most = httpx.Limits(max_connections=asked["users"], max_keepalive_connections=asked["users"])
    async with (
        httpx.AsyncClient(base_url=f"{asked['url']}/api/v1", limits=most, timeout=30.0) as client,
        asyncio.TaskGroup() as users,
    ):
        for number in range(asked["users"]):
            users.create_task(_user(client, asked, number, took, from_, until))
    return took


async def _user(
    client: httpx.AsyncClient,
    asked: dict[str, Any],
    number: int,
    took: dict[str, list[float]],
    from_: float,
    until: float,
) -> None:
    chance = np.random.default_rng([asked["seed"], number])
    token = asked["tokens"][number % len(asked["tokens"])]
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    await asyncio.sleep(chance.uniform(0, asked["think_s"]))
    for kind, path in _way(asked, chance):
        began = time.perf_counter()
        if began >= until:
            return
        answer = await client.get(path, headers=headers)
        ended = time.perf_counter()
        if not answer.is_success:
            raise MelaError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        if began >= from_:
            took[kind].append(ended - began)
        await asyncio.sleep(chance.exponential(asked["think_s"]))


def _way(asked: dict[str, Any], chance: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield what a user looks at, one after the other, without end."""
    while True:
        scene, run = str(chance.choice(asked["scenes"])), str(chance.choice(asked["runs"]))
        yield "list", "/scenes?limit=50"
        yield "scene", f"/scenes/{scene}"
        yield "runs", f"/scenes/{scene}/runs?sort={chance.choice(METRICS)}"
        yield "run", f"/runs/{run}"
        yield "equity", f"/runs/{run}/equity?points=1500"


if __name__ == "__main__":
    sys.exit(main())
