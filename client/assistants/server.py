"""The server of `mela mcp`: its tools, each a call of the client, and its resources.

A tool may do what the API lets the client's token do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

import mela
from api.models.catalogue import StrategyDetail
from api.models.events import SceneEvent
from api.models.runs import Comparison
from api.models.scenes import Validation
from client.assistants.answers import (
    CandlesThere,
    Followed,
    PublishedScene,
    ResultsOfScene,
    SceneHead,
    SceneList,
    StrategyHead,
    StrategyList,
    reason_of,
    results_of,
)
from client.assistants.resources import add_resources
from client.client import Client
from client.platform import ENDED, SceneFilter
from mela.errors import MelaError, SceneInvalid

P = ParamSpec("P")
R = TypeVar("R")
Scene = Annotated[
    dict[str, Any] | str,
    Field(
        description="a scene: an object of its fields, or YAML. Read mela://schema/scene.json for "
        "all fields. At least instruments, interval, start, end and strategy {name, params}"
    ),
]
SceneId = Annotated[str, Field(description="as publish_scene or list_scenes gives it")]
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
PUBLISHES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
CANCELS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
LONGEST_WAIT_S = 600.0
ABOUT = """\
Mela backtests trading strategies on crypto and stock candles. A scene asks: instruments, interval,
dates, a strategy with its parameters, costs, perhaps a search over parameters. It is split into
runs, and each run has a result with metrics, trades and an equity curve.

The usual way: list_strategies and list_candles say what can be asked. validate_scene says what is
wrong with a scene and how many runs it has. publish_scene sends it. follow_scene waits for it.
scene_results shows the best runs and what the search proves. Large tables are resources.

Returns and drawdowns are fractions: 0.12 is 12 %. Times are UTC. Read the warnings of a result
before you believe its numbers: the best of many tries looks good by luck, and scene_results says
how probable that is.
"""


def explained(tool: Callable[P, R]) -> Callable[P, R]:
    """Wrap a tool so that an expected error reaches the assistant as its sentences."""

    @functools.wraps(tool)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return tool(*args, **kwargs)
        except MelaError as error:
            raise ToolError(sentences_of(error)) from error

    return wrapped


def sentences_of(error: MelaError) -> str:
    """Return what went wrong; of a scene all that is wrong with it, with codes and fields."""
    if not isinstance(error, SceneInvalid):
        return str(error)
    return "\n".join(f"[{one.code}] {one}" for one in (error, *error.others))


def build_server(client: Client) -> MCPServer[Any]:
    """Return the server over a client."""
    server: MCPServer[Any] = MCPServer(
        "mela",
        title="Mela",
        description="Backtest trading strategies, and read what was found.",
        instructions=ABOUT,
        version=mela.__version__,
        log_level="WARNING",
    )
    _add_catalogue(server, client)
    _add_scenes(server, client)
    _add_progress(server, client)
    _add_results(server, client)
    add_resources(server, client)
    return server


def _add_catalogue(server: MCPServer[Any], client: Client) -> None:
    @server.tool(title="List strategies", annotations=READS)
    @explained
    def list_strategies() -> StrategyList:
        """List the strategies that a scene can name, each with its parameters."""
        rows = client.platform.strategies()
        names = StrategyHead.model_fields
        return StrategyList(
            strategies=[
                StrategyHead(**{name: getattr(row, name) for name in names}) for row in rows
            ]
        )

    @server.tool(title="Describe a strategy", annotations=READS)
    @explained
    def describe_strategy(name: str) -> StrategyDetail:
        """Return a strategy: its parameters as JSON Schema, defaults, source and record."""
        return client.strategy(name)

    @server.tool(title="List candles", annotations=READS)
    @explained
    def list_candles(instrument: str | None = None) -> CandlesThere:
        """List the series of candles that are stored, from the first to the last candle.

        instrument: only those whose name contains this, as BTC
        """
        wanted = (instrument or "").casefold()
        rows = client.platform.series()
        return CandlesThere(series=[row for row in rows if wanted in row.instrument.casefold()])


def _add_scenes(server: MCPServer[Any], client: Client) -> None:
    @server.tool(title="Validate a scene", annotations=READS)
    @explained
    def validate_scene(scene: Scene) -> Validation:
        """Say what is wrong with a scene, how many runs it has, how long it takes, what it lacks.

        Nothing is published.
        """
        return client.validate(scene)

    @server.tool(title="Publish a scene", annotations=PUBLISHES)
    @explained
    def publish_scene(
        scene: Scene,
        name: Annotated[str | None, Field(description="what people shall call it")] = None,
        note: str = "",
        tags: list[str] | None = None,
        is_private: Annotated[bool, Field(description="only its owner sees it")] = False,
    ) -> PublishedScene:
        """Publish a scene, so that its runs are executed. Needs a token with the scope `write`.

        Returns at once with the scene's id: follow_scene waits for the results.
        """
        scene_id = client.publish(
            scene, name=name, note=note, tags=tags or (), is_private=is_private
        )
        return PublishedScene(scene_id=scene_id)


def _add_progress(server: MCPServer[Any], client: Client) -> None:
    @server.tool(title="Follow a scene", annotations=READS)
    async def follow_scene(
        scene_id: SceneId,
        context: Context[Any, Any],
        wait_s: Annotated[
            float, Field(ge=0, le=LONGEST_WAIT_S, description="how long to wait for its end")
        ] = 60.0,
    ) -> Followed:
        """Wait until a scene has ended, or until the time is over, and say how far it is.

        If has_ended is false, call it again.
        """
        return await _followed(client, scene_id, context, wait_s)

    @server.tool(title="List scenes", annotations=READS)
    @explained
    def list_scenes(
        state: Literal["received", "planned", "finished", "cancelled", "rejected"] | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        text: Annotated[str | None, Field(description="in its name, note or tags")] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> SceneList:
        """List the newest scenes that you may see, each with its state and its best run."""
        wanted = SceneFilter((state,) if state else (), strategy, instrument, text=text)
        found: list[SceneHead] = []
        for row in client.platform.scenes(wanted):
            if len(found) == limit:
                break
            found.append(SceneHead.of(row))
        return SceneList(scenes=found)

    @server.tool(title="Cancel a scene", annotations=CANCELS)
    @explained
    def cancel_scene(scene_id: SceneId) -> SceneHead:
        """Cancel a scene: runs that are not executed yet will not be. Results so far stay."""
        return SceneHead.of(client.cancel(scene_id).scene)


def _add_results(server: MCPServer[Any], client: Client) -> None:
    @server.tool(title="Results of a scene", annotations=READS)
    @explained
    def scene_results(
        scene_id: SceneId,
        top: Annotated[int, Field(ge=1, le=100, description="how many of its best runs")] = 10,
    ) -> ResultsOfScene:
        """Return a scene's best runs with all metrics and warnings, and what its search proves.

        All its runs, and the trades and equity of each run, are resources: their addresses come
        with the answer.
        """
        return results_of(client, scene_id, top)

    @server.tool(title="Compare runs", annotations=READS)
    @explained
    def compare(
        runs: Annotated[list[str] | None, Field(description="run_keys")] = None,
        scenes: Annotated[list[str] | None, Field(description="each for its best run")] = None,
    ) -> Comparison:
        """Return what differs between two to ten runs: parameters, metrics, first other trade."""
        return client.compare(runs=runs or (), scenes=scenes or ())


async def _followed(
    client: Client, scene_id: str, context: Context[Any, Any], wait_s: float
) -> Followed:
    """Follow a scene in a thread, and tell each step to the assistant's program."""
    last: SceneEvent | None = None
    try:
        events = client.follow(scene_id, wait_s=wait_s)
        while event := await anyio.to_thread.run_sync(next, events, None):
            last = event
            said = f"{event.state}: {event.recorded:,} of {event.runs:,} runs"
            await context.report_progress(event.recorded, event.runs or None, said)
        if last is None:
            raise ToolError(f"nothing was heard of the scene {scene_id}.")
        why = None
        if last.state == "rejected":
            scene = await anyio.to_thread.run_sync(client.platform.scene, last.scene_id)
            why = reason_of(scene)
    except MelaError as error:
        raise ToolError(sentences_of(error)) from error
    return Followed(**last.model_dump(), has_ended=last.state in ENDED, rejected_because=why)
