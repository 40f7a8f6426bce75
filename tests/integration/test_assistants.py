"""`mela mcp`: an assistant's program on the running platform, over standard input and output."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from mela.settings import REPOSITORY, Settings
from services.accounts.accounts import Role, Scope
from tests.client.api_clients import token_of
from tests.integration.asking import CASH, ONE, grid

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
READING = (
    *("list_strategies", "describe_strategy", "list_candles", "validate_scene", "follow_scene"),
    *("list_scenes", "scene_results", "compare"),
)
CHANGING = ("publish_scene", "cancel_scene")


@pytest.fixture(scope="module")
def trader(platform: Settings) -> str:
    return token_of(platform, Role.TRADER, Scope.READ, Scope.WRITE)


@asynccontextmanager
async def assistant(settings: Settings, token: str, folder: Path) -> AsyncIterator[ClientSession]:
    """Start `mela mcp` as an assistant's program does, and greet it."""
    file = folder / "token"
    file.write_text(f"{token}\n")
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cli.main", "mcp", "--url", settings.api.url, "--token-file", str(file)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "MELA_HOME": str(folder)},
        cwd=REPOSITORY,
    )
    async with stdio_client(program) as (reads, writes), ClientSession(reads, writes) as session:
        await session.initialize()
        yield session


def ask(
    settings: Settings,
    token: str,
    folder: Path,
    talk: Callable[[ClientSession], Awaitable[None]],
) -> None:
    async def whole() -> None:
        async with assistant(settings, token, folder) as session:
            await talk(session)

    anyio.run(whole)


async def call(session: ClientSession, tool: str, **words: Any) -> dict[str, Any]:
    """Return what a tool answers; its text says the same."""
    found = await session.call_tool(tool, words)
    assert not found.is_error, found.content
    assert found.structured_content is not None
    return found.structured_content


async def refusal(session: ClientSession, tool: str, **words: Any) -> str:
    found = await session.call_tool(tool, words)
    assert found.is_error
    [said] = found.content
    return str(said.text)  # type: ignore[union-attr]


async def read(session: ClientSession, address: str) -> str:
    [content] = (await session.read_resource(address)).contents
    return str(content.text)  # type: ignore[union-attr]


def test_an_assistant_asks_follows_and_reads_a_scene(
    platform: Settings, trader: str, tmp_path: Path
) -> None:
    scene = {**ONE, "cash": next(CASH) + 0.5, "search": grid(3, 3)}

    async def talk(session: ClientSession) -> None:
        names = [one["name"] for one in (await call(session, "list_strategies"))["strategies"]]
        assert "sma_cross" in names
        about = await call(session, "describe_strategy", name="sma_cross")
        assert about["schema"]["properties"].keys() == {"fast", "slow"}
        series = (await call(session, "list_candles", instrument="btc"))["series"]
        assert ("binance:BTCUSDT", "1h") in [(one["instrument"], one["interval"]) for one in series]
        checked = await call(session, "validate_scene", scene=scene)
        assert (checked["is_valid"], checked["runs"]) == (True, 9)
        sent = await call(session, "publish_scene", scene=scene, name="asked by an assistant")
        ended = await call(session, "follow_scene", scene_id=sent["scene_id"], wait_s=120)
        assert (ended["state"], ended["has_ended"], ended["recorded"]) == ("finished", True, 9)
        found = await call(session, "scene_results", scene_id=sent["scene_id"], top=3)
        ranks = [run["rank"] for run in found["best_runs"]]
        assert ranks == [1, 2, 3]
        assert found["scene"]["name"] == "asked by an assistant"
        assert found["proves"]
        listed = await call(session, "list_scenes", text="asked by an assistant", limit=5)
        assert sent["scene_id"] in [one["scene_id"] for one in listed["scenes"]]
        keys = [run["run_key"] for run in found["best_runs"][:2]]
        compared = await call(session, "compare", runs=keys)
        assert [run["run_key"] for run in compared["runs"]] == keys

        tables = [one for one in found["resources"] if one.endswith(".csv")]
        runs, trades, equity = [await read(session, one) for one in tables]
        rows = list(csv.DictReader(io.StringIO(runs)))
        assert len(rows) == 9
        assert rows[0]["run_key"] == keys[0]
        assert float(rows[0]["sharpe"]) == found["best_runs"][0]["metrics"]["sharpe"]
        best = found["best_runs"][0]["metrics"]
        assert trades.count("\n") == best["trades"] + 1
        assert float(equity.splitlines()[-1].split(",")[1]) == best["final_equity"]

    ask(platform, trader, tmp_path, talk)


def test_a_token_that_may_only_read_cannot_publish_or_cancel(
    platform: Settings, trader: str, tmp_path: Path
) -> None:
    reader = token_of(platform, Role.TRADER, Scope.READ)

    async def talk(session: ClientSession) -> None:
        assert (await call(session, "validate_scene", scene=ONE))["is_valid"]
        said = await refusal(session, "publish_scene", scene=ONE)
        assert "this token lacks the scope write" in said
        scenes = (await call(session, "list_scenes", limit=1))["scenes"]
        said = await refusal(session, "cancel_scene", scene_id=scenes[0]["scene_id"])
        assert "this token lacks the scope write" in said

    ask(platform, reader, tmp_path, talk)


def test_what_is_wrong_is_said_in_sentences(
    platform: Settings, trader: str, tmp_path: Path
) -> None:
    async def talk(session: ClientSession) -> None:
        wrong = {**ONE, "cash": -1, "interval": "7h"}
        faults = (await call(session, "validate_scene", scene=wrong))["faults"]
        assert {fault["field"] for fault in faults} == {"cash", "interval"}
        said = await refusal(session, "publish_scene", scene=wrong)
        assert "[invalid_field] cash: " in said
        assert "[invalid_field] interval: " in said
        said = await refusal(session, "publish_scene", scene="instruments: [")
        assert "cannot be read as YAML" in said
        nowhere = "6aa2dc38-d809-43d9-9a25-d76384955130"
        for tool in ("follow_scene", "scene_results", "cancel_scene"):
            assert f"there is no scene {nowhere}" in await refusal(session, tool, scene_id=nowhere)
        with pytest.raises(MCPError, match=f"there is no scene {nowhere}"):
            await read(session, f"mela://scenes/{nowhere}/runs.csv")

    ask(platform, trader, tmp_path, talk)


def test_tools_say_what_they_change(platform: Settings, trader: str, tmp_path: Path) -> None:
    async def talk(session: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert sorted(tools) == sorted((*READING, *CHANGING))
        assert all(tool.description for tool in tools.values())
        hints = {name: tool.annotations for name, tool in tools.items()}
        assert all(hints[name].read_only_hint for name in READING)  # type: ignore[union-attr]
        publish, cancel = (hints[name] for name in CHANGING)
        assert publish
        assert cancel
        assert (publish.read_only_hint, publish.destructive_hint) == (False, False)
        assert (cancel.read_only_hint, cancel.destructive_hint) == (False, True)
        templates = (await session.list_resource_templates()).resource_templates
        assert "mela://runs/{run_key}/trades.csv" in [one.uri_template for one in templates]
        assert '"rank_by"' in await read(session, "mela://schema/scene.json")
        source = await read(session, "mela://strategies/sma_cross/source.py")
        assert "def sma_cross(" in source

    ask(platform, trader, tmp_path, talk)
