"""A platform over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from api.models.catalogue import Strategies, StrategyDetail, StrategyRow
from api.models.data import SeriesList, SeriesRow, StoredCandles
from api.models.events import SceneEvent
from api.models.runs import CandleColumns, Comparison, RunCandles, RunDetail
from api.models.scene_runs import RunPage, RunRow, SceneReport
from api.models.scenes import SceneDetail, ScenePage, SceneRow, Validation
from client.events import follow
from client.export import read_curve
from client.http import Api
from client.platform import MOST_POINTS, About, Kind, RunCurve, SceneFilter
from mela.curve import Curve, Trade
from mela.errors import Conflict, InputInvalid
from mela.instants import instant_text
from mela.interval import Interval
from mela.metrics import METRICS, Metrics

RUNS_A_PAGE, SCENES_A_PAGE, CANDLES_A_PART = 500, 100, 20_000


class HttpPlatform:
    """Asks the API of a platform. url, token, patience_s: as of `client.http.Api`."""

    def __init__(self, url: str, token: str, *, patience_s: float) -> None:
        self.api = Api(url, token, patience_s=patience_s)

    def validate(self, document: Mapping[str, Any]) -> Validation:
        """Say what is wrong with a scene, how many runs it has, and what would answer it."""
        return self.api.ask(Validation, "POST", "/scenes/validate", json={"scene": document})

    def publish(self, document: Mapping[str, Any], about: About) -> UUID:
        """Publish a scene once, however often the request must be sent."""
        asked = {"scene": document, "note": about.note, "tags": list(about.tags)}
        asked |= {"name": about.name, "is_private": about.is_private}
        headers = {"Idempotency-Key": str(uuid4())}
        return self.api.ask(SceneRow, "POST", "/scenes", json=asked, headers=headers).scene_id

    def follow(self, scene_id: UUID, wait_s: float | None = None) -> Iterator[SceneEvent]:
        """Yield how far a scene is now, then each step forward, until it has ended."""
        return follow(self.api, scene_id, wait_s)

    def scene(self, scene_id: UUID) -> SceneDetail:
        """Return a scene."""
        return self.api.read(SceneDetail, f"/scenes/{scene_id}")

    def scenes(self, wanted: SceneFilter) -> Iterator[SceneRow]:
        """Yield the scenes that fit, the newest first, page by page."""
        query: dict[str, Any] = {**wanted.query(), "limit": SCENES_A_PAGE}
        while True:
            page = self.api.read(ScenePage, "/scenes", **query)
            yield from page.items
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    def runs(self, scene_id: UUID) -> Iterator[RunRow]:
        """Yield the runs of a scene, best first, page by page."""
        query: dict[str, Any] = {"limit": RUNS_A_PAGE}
        while True:
            page = self.api.read(RunPage, f"/scenes/{scene_id}/runs", **query)
            yield from page.items
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    def report(self, scene_id: UUID) -> SceneReport:
        """Return what a scene's search has proved."""
        return self.api.read(SceneReport, f"/scenes/{scene_id}/report")

    def curve(self, run_key: str) -> RunCurve:
        """Return trades and equity of a run. Raises Conflict where they are not stored."""
        return read_curve(self.api, run_key)

    def candles(self, run_key: str, points: int) -> RunCandles:
        """Return the candles of a run, merged to at most so many."""
        points = min(points, MOST_POINTS)
        return self.api.read(RunCandles, f"/runs/{run_key}/candles", points=points)

    def picture(self, scene_id: UUID, run: RunRow, kind: Kind) -> bytes:  # noqa: ARG002
        """Draw a run from its candles, trades and equity."""
        from backtests.charts.read_view import RunRead, most_candles, read_picture

        if len(run.instruments) > 1:
            raise InputInvalid("run", "no picture shows several instruments on one account.")
        detail = self.api.read(RunDetail, f"/runs/{run.run_key}")
        candles = self.candles(run.run_key, most_candles(kind))
        curve = self.curve(run.run_key)
        columns = curve.equity
        try:
            return read_picture(
                RunRead(
                    instrument=candles.instrument,
                    interval=run.interval,
                    strategy=run.strategy,
                    params=detail.run.params,
                    start=datetime.fromisoformat(run.start),
                    end=datetime.fromisoformat(run.end),
                    cash=float(detail.run.terms["cash"]),
                    metrics=_metrics(run.metrics),
                    candles=_columns(candles),
                    merged=candles.candles_per_point,
                    total=candles.total,
                    curve=Curve(
                        tuple(map(_trade, curve.trades)),
                        np.array(columns["t"], dtype=np.int64),
                        np.array(columns["equity"], dtype=np.float64),
                    ),
                    hold=np.array(columns["buy_and_hold"], dtype=np.float64),
                    drawdown=np.array(columns["drawdown"], dtype=np.float64),
                ),
                kind,
            )
        except ValueError as error:
            raise Conflict(f"{error}.") from error

    def compare(self, runs: Sequence[str], scenes: Sequence[UUID]) -> Comparison:
        """Return what differs between runs; a scene stands for its best one."""
        query: dict[str, Any] = {"run": list(runs), "scene": [str(one) for one in scenes]}
        return self.api.read(Comparison, "/compare", **query)

    def cancel(self, scene_id: UUID) -> SceneDetail:
        """Cancel a scene."""
        return self.api.ask(SceneDetail, "POST", f"/scenes/{scene_id}/cancel")

    def strategies(self) -> Sequence[StrategyRow]:
        """Return the strategies of the catalogue."""
        return self.api.read(Strategies, "/strategies").items

    def strategy(self, name: str) -> StrategyDetail:
        """Return a strategy."""
        return self.api.read(StrategyDetail, f"/strategies/{name}")

    def series(self) -> Sequence[SeriesRow]:
        """Return which candles are stored."""
        return self.api.read(SeriesList, "/series").items

    def stored(
        self, instrument: str, interval: Interval, start: datetime, end: datetime
    ) -> CandleColumns:
        """Return the candles of [start, end), part by part."""
        query: dict[str, Any] = {"instrument": instrument, "interval": interval.value}
        query |= {"limit": CANDLES_A_PART, "end": instant_text(end)}
        columns: dict[str, list[Any]] = {name: [] for name in CandleColumns.model_fields}
        following: datetime | None = start
        while following is not None:
            part = self.api.read(StoredCandles, "/candles", start=instant_text(following), **query)
            for name, column in columns.items():
                column += getattr(part.candles, name)
            following = part.next_start
        return CandleColumns(**columns)

    def close(self) -> None:
        """Close the connection."""
        self.api.close()


def _columns(candles: RunCandles) -> dict[str, Any]:
    columns = candles.candles
    return {
        "opened_ms": np.array(columns.t, dtype=np.int64),
        **{
            name: np.array(getattr(columns, short), dtype=np.float64)
            for name, short in {"open": "o", "high": "h", "low": "l", "close": "c"}.items()
        },
    }


def _metrics(values: Mapping[str, float | None]) -> Metrics:
    found = {name: values.get(name) for name in METRICS}
    return Metrics._make(np.nan if one is None else one for one in found.values())


def _trade(document: Mapping[str, Any]) -> Trade:
    fields: dict[str, Any] = {name: document[name] for name in Trade._fields}
    for name in ("entry_at", "exit_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    return Trade(**fields)
