"""What the star is built from: candles with a past, runs of the real engine, checks, users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from backtests.simulate import provenance, run_all
from backtests.strategies import CATALOGUE
from mela.candles import Candles
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import MessagePosition
from mela.result import Outcome, result_document
from mela.scene import parse_scene
from mela.settings import Settings
from sources.instruments import describe
from sources.protocol import CorporateAction, FetchedCandles
from tests.warehouse.given import action, answer
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.merge import merge
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

BITCOIN, ETHER = "binance:BTCUSDT", "binance:ETHUSDT"
SOLANA, LUNA, ACME = "binance:SOLUSDT", "binance:LUNAUSDT", "yahoo:ACME"
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAR = datetime(2040, 1, 1, tzinfo=UTC)
SPIKE, LATE, STILL, MOVES, KNOWN = 590, 595, 600, 2_000, 1_900
RISES, HALVES = 400, 10_700
WITHOUT_DIGITS = slice(RISES + 9_000, HALVES)
SCENE = {
    "name": "crossings",
    "instruments": [ETHER],
    "interval": "1h",
    "start": "2024-01-20T00:00:00Z",
    "end": "2024-03-10T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"slow": 30}},
    "search": {"kind": "grid", "space": {"strategy.params.fast": [5, 10, 20]}},
}
Float = NDArray[np.float64]
_BATCH = text("""
    INSERT INTO ops.load_batch (instrument_id, interval, source, origin, request, span_start,
                                span_end, code_version, status, finished_at)
    VALUES (:id, :interval, :source, 'replay', '{}', :since,
            CAST(:since AS timestamptz) + interval '1 year', 'test', 'succeeded', now())
    RETURNING id
""")
_CHECKS = """
    INSERT INTO ops.quality_check (id, checked_at, span_start, span_end, instrument_id, interval,
                                   candles, expected)
    SELECT check_id, '2030-01-02'::timestamptz + check_id * interval '1 hour', '2024-01-01',
           '2024-04-01', instrument.id, '1h', present, 2000
    FROM (VALUES (1, 'ETHUSDT', 1990), (2, 'ETHUSDT', 1996), (3, 'BTCUSDT', 1999))
        AS checks (check_id, symbol, present)
    JOIN ops.instrument USING (symbol);
    INSERT INTO ops.quality_finding (quality_check_id, instrument_id, interval, kind,
        first_opened_at, last_opened_at, candles, severity, state, found_at, resolved_at)
    SELECT check_id, c.instrument_id, '1h', f.kind, f.first_at, f.first_at, f.candles, f.severity,
           f.state, c.checked_at, f.resolved_at
    FROM (VALUES
        (1, 'missing', '2024-01-05'::timestamptz, 6, 'error', 'repaired',
         '2030-01-02 01:30'::timestamptz),
        (1, 'missing', '2024-01-07', 4, 'error', 'open', NULL),
        (2, 'outlier', '2024-02-01', 1, 'warning', 'open', NULL),
        (3, 'missing', '2024-01-09', 1, 'error', 'confirmed', '2030-01-03')
    ) AS f (check_id, kind, first_at, candles, severity, state, resolved_at)
    JOIN ops.quality_check c ON c.id = f.check_id
"""
_PEOPLE = """
    INSERT INTO ops.user (name, role) VALUES ('ada', 'member');
    INSERT INTO ops.scene (scene_id, status, rejection_code, content, topic, partition, "offset")
    VALUES ('00000000-0000-0000-0000-0000000000ff', 'rejected', 'invalid_field',
            '{"instruments": 7, "start": "yesterday"}', 'mela.scenes', 0, 9)
"""

SESSION = "00000000-0000-4000-8000-0000000000aa"
_TRADING = f"""
    INSERT INTO ops.session (session_id, name, user_id, document, instruments, interval, mode,
        strategy, broker, feed, money, cash, state, started_at)
    SELECT '{SESSION}', 'a session', id, '{{}}', '{{binance:ETHUSDT,nowhere:NEW}}', '1h', 'each',
        'sma_cross', 'paper', 'binance', 'paper', 1000, 'running', '2024-03-01 10:00+00'
    FROM ops.user WHERE name = 'ada';
    INSERT INTO ops.session_order (session_id, client_order_id, instrument, side, leg, kind,
        reason, units, filled_units, average_price, fees, candle_at, state, intended_at,
        changed_at, seq)
    VALUES ('{SESSION}', 'a', 'binance:ETHUSDT', 'buy', 'enter', 'market', 'entry', 2, 2, 10, 0.02,
        '2024-03-01 22:00+00', 'filled', '2024-03-01 23:00+00', '2024-03-01 23:00+00', 3),
      ('{SESSION}', 'b', 'nowhere:NEW', 'sell', 'enter', 'market', 'entry', NULL, 0, NULL, 0,
        '2024-03-01 22:00+00', 'rejected', '2024-03-01 23:00+00', '2024-03-01 23:00+00', 5);
    INSERT INTO ops.session_fill (session_id, fill_id, client_order_id, instrument, side, units,
        price, fee, filled_at, seq)
    VALUES ('{SESSION}', 'f', 'a', 'binance:ETHUSDT', 'buy', 2, 10, 0.02, '2024-03-01 23:00+00', 4);
    INSERT INTO ops.session_equity (session_id, account, opened_at, closed_at, equity, cash)
    VALUES ('{SESSION}', 0, '2024-03-01 22:00+00', '2024-03-01 23:00+00', 1000, 1000),
      ('{SESSION}', 0, '2024-03-02 00:00+00', '2024-03-02 01:00+00', 1010, 980);
    INSERT INTO ops.session_trade (session_id, seq, instrument, entry_at, exit_at, size,
        entry_price, exit_price, fees, profit, exit_reason)
    VALUES ('{SESSION}', 8, 'binance:ETHUSDT', '2024-03-01 23:00+00', '2024-03-02 00:00+00', 2, 10,
        15, 0.05, 9.95, 'signal');
    INSERT INTO ops.session_verdict (session_id, seq, instrument, candle_at, is_allowed, code, saw)
    VALUES ('{SESSION}', 9, 'binance:ETHUSDT', '2024-03-02 00:00+00', false, 'max_open', '{{}}');
    INSERT INTO ops.session_drift (session_id, on_day, candles, start_at, end_at, state, trades,
        trades_backtest, missed, equity, equity_backtest, drift, bound, code_version)
    VALUES ('{SESSION}', '2024-03-02', 'decided', '2024-03-01 10:00+00', '2024-03-02 01:00+00',
        'ok', 1, 2, 1, 2010, 2010.5, -0.00025, 0.001, 'test');
    INSERT INTO ops.session_drift_line (session_id, on_day, candles, line, kind, instrument,
        entry_at, side, what, backtest, cause)
    VALUES ('{SESSION}', '2024-03-02', 'decided', 1, 'missed', 'binance:ETHUSDT',
        '2024-03-01 12:00+00', 1, 'profit', 0.5, 'risk')
"""


@dataclass
class Story:
    """What was done, to compare the star with.

    documents: results as they were stored, by result_key; outcomes: the engine's own, with curves
    """

    scene_ids: list[str]
    documents: dict[str, dict[str, Any]]
    outcomes: dict[str, Outcome]


def walk(candles: int, seed: int, price: float) -> Float:
    """Return closes that wander, by steps of about a percent."""
    steps = np.random.default_rng(seed).normal(0.0, 0.01, candles)
    return np.round(price * np.exp(np.cumsum(steps)), 2)


def restless(seed: int) -> Float:
    """Return closes with what is hard for a mean that never forgets: a long time without a move."""
    closes = walk(2_400, seed, 40_000.0)
    closes[STILL:MOVES] = closes[STILL - 1]
    return closes


def fallen(seed: int) -> Float:
    """Return closes that halve after ten thousand candles without a move, and then fall to nothing.

    So long that Wilder's mean of gains is the least double there is, and so deep that the last
    digits of what the price once was are more than what it is.
    """
    before, after = walk(RISES, seed, 40_000.0), walk(600, seed, 1.0) * 1e-3
    still = np.full(HALVES - RISES, before[-1] * 1.01)
    return np.concatenate([before, still, before[-1] * np.array([0.5, 0.49, 0.48]), after])


def load(
    settings: Settings,
    name: str,
    closes: Sequence[float] | Float,
    interval: Interval = Interval.H1,
    *,
    start: datetime = START,
    without: int | None = None,
    actions: Sequence[CorporateAction] = (),
) -> None:
    """Load candles as an ingestion does, but for one of them."""
    fetched = answer(list(closes), start=start, name=name, interval=interval, actions=list(actions))
    if without is not None:
        fetched = _dropped(fetched, without)
    with transaction(settings) as connection:
        instrument_id = instruments.upsert(connection, fetched.instrument)
        asked = {"id": instrument_id, "interval": interval.value, "since": start}
        batch = connection.execute(_BATCH, asked | {"source": name.partition(":")[0]}).scalar_one()
        merge(connection, instrument_id, batch, fetched, start)


def _dropped(fetched: FetchedCandles, place: int) -> FetchedCandles:
    columns = ("opened_ms", "closed_ms", "open", "high", "low", "close", "volume")
    kept = {name: np.delete(getattr(fetched, name), place) for name in columns}
    return replace(fetched, **kept)


def first_loads(settings: Settings) -> Story:
    """Load candles with a spike and a gap, run a grid on some, ask again, check, reject."""
    closes = restless(7)
    closes[SPIKE] *= 10
    load(settings, BITCOIN, closes, without=LATE)
    load(settings, SOLANA, restless(8)[:KNOWN])
    load(settings, LUNA, fallen(9)[:-100], Interval.M1)
    load(settings, ETHER, walk(2_400, 11, 2_000.0))
    load(settings, ETHER, [2_000.0], Interval.D1)
    load(settings, ACME, [105.0, 118.0], Interval.D1, start=datetime(2024, 1, 2, tzinfo=UTC))
    with transaction(settings) as connection:
        connection.exec_driver_sql(_CHECKS)
        connection.exec_driver_sql(_PEOPLE)
        connection.exec_driver_sql(_TRADING)
    story = Story([], {}, {})
    run_scene(settings, story, user="ada")
    run_scene(settings, story, user=None)
    return story


def later_loads(settings: Settings, story: Story) -> None:
    """Correct the spike, bring the late candle and new ones, a split, another tick for ether."""
    load(settings, BITCOIN, restless(7))
    load(settings, SOLANA, restless(8))
    load(settings, LUNA, fallen(9), Interval.M1)
    far = datetime(2030, 1, 1, tzinfo=UTC)
    load(settings, ETHER, [9_000.0], Interval.D1, start=far)
    split = action("split", date(2024, 1, 4), 2.0)
    since = datetime(2024, 1, 2, tzinfo=UTC)
    load(settings, ACME, [105.0, 116.0, 60.0], Interval.D1, start=since, actions=[split])
    load(settings, ETHER, [1_234.5], start=START + 700 * HOUR)
    with transaction(settings) as connection:
        instruments.upsert(connection, replace(describe(ETHER), tick=0.5, origins={}))
    run_scene(settings, story, user="ada")


def run_scene(settings: Settings, story: Story, *, user: str | None) -> None:
    """Publish, run and store the grid; what is stored and holds is answered from the store."""
    scene_id = str(uuid4())
    story.scene_ids.append(scene_id)
    plan = plan_runs(parse_scene({**SCENE, "scene_id": scene_id}), CATALOGUE, max_runs=100)
    runs = list(plan.expand())
    today = {"sma_cross": provenance("sma_cross", None)}
    with transaction(settings) as connection:
        origin = MessagePosition("mela.scenes", 0, len(story.scene_ids))
        scenes.receive(
            connection, scene_id, SCENE, "hash", runs=len(runs), skipped=0, name="crossings",
            origin=origin,
        )  # fmt: skip
        by = "UPDATE ops.scene SET user_id = (SELECT id FROM ops.user WHERE name = %(user)s)"
        connection.exec_driver_sql(
            f"{by} WHERE scene_id = %(scene)s", {"user": user, "scene": scene_id}
        )
        stored = results.find(connection, runs, today, scene_id)
    first = runs[0]
    read = CandleReader(settings).read(
        ETHER, first.interval, first.start, first.end, first.warmup, first.prices
    )
    made_with = provenance("sma_cross", read.revision)
    for outcome in run_all(read.candles, runs, with_curve=True):
        document = result_document(outcome, made_with, scene_id=scene_id)
        is_stored = outcome.run.run_key in stored
        with transaction(settings) as connection:
            refused = results.save(connection, [document | {"cached": is_stored}])
            assert refused == []
            key = str(document["result_key"])
            if not is_stored:
                assert outcome.curve is not None
                results.save_curve(connection, key, outcome.curve)
        story.documents.setdefault(key, document)
        story.outcomes.setdefault(key, outcome)


def candles_of(settings: Settings, name: str, interval: Interval) -> Candles:
    """Return all candles of a series as the engine reads them today."""
    return CandleReader(settings).read(name, interval, START, FAR, 0, "split_adjusted").candles
