"""Resources that are too large for a tool's answer: runs, trades, equity, schemas, sources."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, ParamSpec

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from client.client import Client
from client.frames import equity_frame, trades_frame
from mela.errors import MelaError, NotFound
from mela.schemas import json_schema

P = ParamSpec("P")
CSV, JSON = "text/csv", "application/json"


def readable(read: Callable[P, str]) -> Callable[P, str]:
    """Wrap a resource so that an expected error reaches the assistant as a sentence."""

    @functools.wraps(read)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> str:
        try:
            return read(*args, **kwargs)
        except NotFound as error:
            raise ResourceNotFoundError(str(error)) from error
        except MelaError as error:
            raise ResourceError(str(error)) from error

    return wrapped


def add_resources(server: MCPServer[Any], client: Client) -> None:
    """Add the resources to a server."""

    @server.resource("mela://scenes/{scene_id}/runs.csv", mime_type=CSV, title="Runs of a scene")
    @readable
    def scene_runs(scene_id: str) -> str:
        """All runs of a scene, best first: what varies, the status, all metrics, warnings."""
        return client.result(scene_id).with_frames("pandas").runs.to_csv(index=False)

    @server.resource(
        "mela://scenes/{scene_id}/report.json", mime_type=JSON, title="Report on a search"
    )
    @readable
    def scene_report(scene_id: str) -> str:
        """The evidence of a search: trials, deflated Sharpe, overfitting, folds, robustness."""
        return client.result(scene_id).report.model_dump_json(indent=1)

    @server.resource("mela://scenes/{scene_id}/scene.json", mime_type=JSON, title="A scene")
    @readable
    def scene(scene_id: str) -> str:
        """A scene as it was published."""
        return json.dumps(client.result(scene_id).scene.scene, indent=1)

    @server.resource("mela://runs/{run_key}/trades.csv", mime_type=CSV, title="Trades of a run")
    @readable
    def run_trades(run_key: str) -> str:
        """All trades of a run, the oldest first. Not every run's are stored."""
        return trades_frame(client.platform.curve(run_key).trades).to_csv(index=False)

    @server.resource("mela://runs/{run_key}/equity.csv", mime_type=CSV, title="Equity of a run")
    @readable
    def run_equity(run_key: str) -> str:
        """Equity, drawdown and buy and hold of a run at each candle's close."""
        return equity_frame(client.platform.curve(run_key).equity).to_csv(index=False)

    @server.resource(
        "mela://strategies/{name}/source.py", mime_type="text/x-python", title="A strategy's source"
    )
    @readable
    def strategy_source(name: str) -> str:
        """The source of a strategy."""
        return client.strategy(name).source

    @server.resource("mela://schema/scene.json", mime_type=JSON, title="Schema of a scene")
    @readable
    def scene_schema() -> str:
        """The JSON Schema of a scene: every field with what it means."""
        return json.dumps(json_schema("scene"), indent=1)
