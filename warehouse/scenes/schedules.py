"""Recurring scenes: published again whenever their candles are complete for the next span."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import orjson
from croniter import croniter
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from mela.calendars import date_ms, expected_opens_ms
from mela.canonical import canonical_json, digest
from mela.interval import DAY_MS, Interval
from mela.run import from_ms, instant_text, to_ms
from mela.scene import Scene, parse_scene
from warehouse.binary import decode
from warehouse.database import copy_out
from warehouse.ingestion import instruments
from warehouse.scenes import cards, users
from warehouse.scenes import records as scenes

COMPLETE = "complete"
SPAN = re.compile(r"([1-9][0-9]{0,3})(d|w|mo|y)")
AHEAD_MS = 40 * DAY_MS  # the next candle of any calendar opens within this time
_REPLACED = ("scene_id", "instruments", "interval", "start", "end")
_ADD = text("""
    INSERT INTO ops.scene_schedule (name, content, interval, span, every, user_id, is_private)
    VALUES (:name, :content, :interval, :span, :every, :user_id, :is_private)
    ON CONFLICT (name) DO NOTHING RETURNING id
""")
_ADD_INSTRUMENT = text("""
    INSERT INTO ops.scene_schedule_instrument (schedule_id, place, instrument_id)
    VALUES (:id, :place, :instrument_id)
""")
_REMOVE = text("DELETE FROM ops.scene_schedule WHERE name = :name RETURNING id")
_CHANGE = text("""
    UPDATE ops.scene_schedule SET active = coalesce(:active, active),
        is_private = coalesce(:is_private, is_private)
    WHERE name = :name RETURNING id
""")
_LIST = """
    SELECT s.id, s.name, s.content, s.interval, s.span, s.every, s.active, s.created_at,
           s.last_scene_id, s.last_covered_until, s.user_id, u.name AS user, s.is_private,
           array_agg(i.venue || ':' || i.symbol ORDER BY m.place) AS instruments
    FROM ops.scene_schedule s
    JOIN ops.scene_schedule_instrument m ON m.schedule_id = s.id
    JOIN ops.instrument i ON i.id = m.instrument_id
    LEFT JOIN ops.user u ON u.id = s.user_id
"""
_ALL = text(f"{_LIST} GROUP BY s.id, u.id ORDER BY s.name")
_ONE = text(f"{_LIST} WHERE s.id = :id GROUP BY s.id, u.id")
_SERIES = text("""
    SELECT i.id, i.calendar, i.delisted_on, (
        SELECT min(opened_at) FROM raw.candle c
        WHERE c.instrument_id = i.id AND c.interval = :interval) AS oldest, (
        SELECT max(opened_at) FROM raw.candle c
        WHERE c.instrument_id = i.id AND c.interval = :interval) AS newest,
        EXISTS (SELECT FROM ops.watch w
        WHERE w.instrument_id = i.id AND w.interval = :interval) AS watched
    FROM ops.instrument i WHERE i.venue || ':' || i.symbol = :name
""")
_OPENS = """
    SELECT opened_at FROM raw.candle
    WHERE instrument_id = %(id)s AND interval = %(interval)s AND opened_at >= %(start)s
    ORDER BY opened_at
"""
_REAL_GAPS = text("""
    SELECT first_opened_at, last_opened_at FROM ops.quality_finding
    WHERE instrument_id = :id AND interval = :interval AND kind = 'missing'
      AND state = 'confirmed' AND last_opened_at >= :start
""")
_PUBLISHED = text("""
    UPDATE ops.scene_schedule SET last_scene_id = :scene_id, last_covered_until = :until
    WHERE id = :id AND (last_covered_until IS NULL OR last_covered_until <= :until)
""")


@dataclass(frozen=True, slots=True)
class DueScene:
    """A scene to publish now. scene: its complete JSON; its id follows from schedule and span."""

    schedule_id: int
    name: str
    scene: dict[str, Any]
    covered_until: datetime


def add(
    connection: Connection,
    name: str,
    scene: Scene,
    span: str,
    *,
    every: str = COMPLETE,
    user: str | None = None,
    is_private: bool | None = None,
) -> int:
    """Schedule a scene over `span` before the end of its newest candles; return the schedule's id.

    scene: its own id, start and end are ignored
    span: such as 90d, 8w, 6mo or 2y
    every: `complete` publishes at each new candle that all series have; a cron expression (UTC)
        publishes at its newest moment for which all candles exist
    is_private: whether it and its scenes are its user's alone; None: where the user keeps a scene
        private that asks for the same
    Raises ValueError for a wrong argument, a name in use, or an instrument never loaded.
    """
    if not SPAN.fullmatch(span):
        raise ValueError(f"expected a span as 90d, 8w, 6mo or 2y, but found {span!r}")
    if every != COMPLETE and not (len(every.split()) == 5 and croniter.is_valid(every)):
        raise ValueError(f"expected `complete` or a cron expression, but found {every!r}")
    if scene.holdout is not None:
        raise ValueError("a scene that comes again cannot have a holdout: each would open it anew")
    ids = instruments.ids(connection, scene.instruments)
    unknown = [one for one in scene.instruments if one not in ids]
    if unknown:
        raise ValueError(f"expected instruments that were loaded once, but found {unknown[0]}")
    content = {key: part for key, part in scene.content().items() if key not in _REPLACED}
    values = {"name": name, "interval": scene.interval.value, "span": span, "every": every}
    values["content"] = orjson.dumps(content).decode()
    user_id = users.ensure(connection, user) if user else None
    if is_private and user_id is None:
        raise ValueError("expected a user: what belongs to nobody is not private")
    if is_private is None and user_id is not None:
        is_private = cards.is_kept_private(connection, user_id, scene.content_hash())
    values |= {"user_id": user_id, "is_private": bool(is_private)}
    number = connection.scalar(_ADD, values)
    if number is None:
        raise ValueError(f"expected a name that is free, but a schedule {name!r} is there already")
    rows = [
        {"id": number, "place": place, "instrument_id": ids[one]}
        for place, one in enumerate(scene.instruments)
    ]
    connection.execute(_ADD_INSTRUMENT, rows)
    return number


def remove(connection: Connection, name: str) -> bool:
    """Delete a schedule; the scenes that it published stay. Returns False for an unknown name."""
    return connection.scalar(_REMOVE, {"name": name}) is not None


def change(
    connection: Connection,
    name: str,
    *,
    active: bool | None = None,
    is_private: bool | None = None,
) -> bool:
    """Pause a schedule or let it go on, hide or share it. Returns False for an unknown name.

    is_private: of the schedule and the scenes that it publishes from now on
    What is None stays as it is.
    """
    values = {"name": name, "active": active, "is_private": is_private}
    return connection.scalar(_CHANGE, values) is not None


def schedules(connection: Connection) -> Sequence[Row[Any]]:
    """Return all schedules by name, with their instruments in order."""
    return connection.execute(_ALL).all()


def due_scenes(connection: Connection, now: datetime) -> list[DueScene]:
    """Return the scenes to publish now: each active schedule's newest unpublished span.

    Candles are complete up to the first one that the calendar expects and the warehouse lacks; a
    confirmed gap does not count as lacking. Spans missed in the meantime are not made up for.
    """
    return [one for one in states(connection, now).values() if isinstance(one, DueScene)]


def states(connection: Connection, now: datetime) -> dict[str, DueScene | str]:
    """Return by name, of each schedule, the scene to publish now, or a sentence why none is due."""
    found: dict[str, DueScene | str] = {}
    for schedule in schedules(connection):
        name = str(schedule.name)
        if not schedule.active:
            found[name] = "it is paused"
            continue
        until = _covered_until(connection, schedule, now)
        last = schedule.last_covered_until
        if until is not None and (last is None or until > last):
            found[name] = DueScene(schedule.id, name, _document(schedule, until), until)
        else:
            found[name] = _why_not(connection, schedule, now)
    return found


def _why_not(connection: Connection, schedule: Row[Any], now: datetime) -> str:
    """Say what a schedule that is not due waits for: the series that hold it up, else its time."""
    interval = Interval(schedule.interval)
    start = schedule.last_covered_until or start_of(schedule.span, now)
    waits: list[str] = []
    for name in schedule.instruments:
        series = connection.execute(_SERIES, {"name": name, "interval": interval.value}).one()
        if series.oldest is None:
            waits.append(f"{name} has no {interval} candles; `mela ingest` loads them")
            continue
        expected, missing_ms = _complete(connection, name, interval, start, now)
        has_closed = expected[interval.ends_ms(expected) <= to_ms(now)]
        if missing_ms is None or not np.any(has_closed >= missing_ms):
            continue
        newest_ms = to_ms(series.newest)
        if newest_ms > missing_ms:
            waits.append(
                f"{name} lacks the candle of {instant_text(from_ms(missing_ms))}; "
                "`mela quality` says what is known of it"
            )
        else:
            watched = "" if series.watched else f" and it is not watched ({_watch(name, interval)})"
            waits.append(
                f"the candles of {name} end at {instant_text(from_ms(interval.end_ms(newest_ms)))}"
                f"{watched}"
            )
    if waits:
        return "; ".join(waits)
    last = schedule.last_covered_until
    prefix = f"published until {instant_text(last)}; " if last else ""
    if schedule.every == COMPLETE:
        return f"{prefix}the next {interval} candle has not closed"
    after = croniter(schedule.every, now).get_next(datetime)
    return f"{prefix}its next time is {instant_text(after)}"


def _watch(name: str, interval: Interval) -> str:
    return f"`mela watch add {name} --interval {interval}`"


def announce(
    connection: Connection, schedule_id: int, scene_id: str | UUID, covered_until: datetime
) -> None:
    """Record whose a due scene is, and who may see it, before the planner gets it. Idempotent.

    Raises ValueError for an unknown schedule, and for an id that does not belong to this span.
    """
    schedule = connection.execute(_ONE, {"id": schedule_id}).one_or_none()
    if schedule is None:
        raise ValueError(f"expected a schedule, but none has the number {schedule_id}")
    scene = parse_scene(_document(schedule, covered_until))
    if scene.scene_id is None or str(scene.scene_id) != str(scene_id):
        raise ValueError(
            f"expected {scene.scene_id}, the scene of {schedule.name} until "
            f"{instant_text(covered_until)}, but found {scene_id}"
        )
    scenes.announce(connection, scene, user_id=schedule.user_id)
    if schedule.is_private:
        cards.keep_private(connection, scene.scene_id)


def mark_published(
    connection: Connection, schedule_id: int, scene_id: str | UUID, covered_until: datetime
) -> None:
    """Record that a due scene was published, and by whom. Idempotent. Raises as `announce` does."""
    announce(connection, schedule_id, scene_id, covered_until)
    values = {"id": schedule_id, "scene_id": str(scene_id), "until": covered_until}
    connection.execute(_PUBLISHED, values)


def start_of(span: str, end: datetime) -> datetime:
    """Return a span's start from its end. A day that the month lacks becomes its last day.

    >>> start_of("1mo", datetime(2024, 3, 31, tzinfo=UTC)).date().isoformat()
    '2024-02-29'
    """
    found = SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"expected a span as 90d, 8w, 6mo or 2y, but found {span!r}")
    count, unit = int(found[1]), found[2]
    if unit in ("d", "w"):
        return end - timedelta(days=count * (7 if unit == "w" else 1))
    year, month = divmod(end.year * 12 + end.month - 1 - count * (12 if unit == "y" else 1), 12)
    first = datetime(year, month + 1, 1, tzinfo=UTC)
    after = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
    return end.replace(year=year, month=month + 1, day=min(end.day, (after - first).days))


def _document(schedule: Row[Any], until: datetime) -> dict[str, Any]:
    start = start_of(schedule.span, until)
    document: dict[str, Any] = {
        "name": schedule.name,
        **schedule.content,
        "instruments": schedule.instruments,
        "interval": schedule.interval,
        "start": instant_text(start),
        "end": instant_text(until),
    }
    content_digest = digest(canonical_json(document))
    scene_id = uuid5(NAMESPACE_URL, f"mela:schedule:{schedule.id}:{content_digest}")
    return {"schema_version": 1, "scene_id": str(scene_id)} | document


def _covered_until(connection: Connection, schedule: Row[Any], now: datetime) -> datetime | None:
    """Return the end of the newest candle for which all series are complete, if it is new."""
    interval = Interval(schedule.interval)
    start = schedule.last_covered_until or start_of(schedule.span, now)
    grids: list[NDArray[np.int64]] = []
    complete_ms = to_ms(now)
    for name in schedule.instruments:
        expected, first_missing = _complete(connection, name, interval, start, now)
        if first_missing is None:
            return None
        complete_ms = min(complete_ms, first_missing)
        grids.append(expected)
    closes_by: int | None = None
    if schedule.every != COMPLETE:  # the newest tick without a missing candle
        latest = min(to_ms(now), interval.end_ms(complete_ms) - 1)
        closes_by = to_ms(_tick(schedule.every, from_ms(latest)))
    ends: list[int] = []
    for expected in grids:
        closed = interval.ends_ms(expected[expected < complete_ms])
        if closes_by is not None:
            closed = closed[closed <= closes_by]
        ends += closed[-1:].tolist()
    return from_ms(max(ends)) if ends else None


def _tick(cron: str, latest: datetime) -> datetime:
    return croniter(cron, latest + timedelta(seconds=1)).get_prev(datetime)


def _complete(
    connection: Connection, name: str, interval: Interval, start: datetime, now: datetime
) -> tuple[NDArray[np.int64], int | None]:
    """Return the calendar's opening times, and the first of them without a stored candle."""
    series = connection.execute(_SERIES, {"name": name, "interval": interval.value}).one()
    if series.oldest is None:
        return np.array([], dtype=np.int64), None
    since = max(start, series.oldest)
    key = {"id": series.id, "interval": interval.value, "start": since}
    until = to_ms(now) + AHEAD_MS
    if series.delisted_on is not None:
        until = min(until, date_ms(series.delisted_on) + DAY_MS)
    expected = expected_opens_ms(series.calendar, interval, to_ms(since), until)
    opened = decode(copy_out(connection, _OPENS, key), {"opened_at": "timestamptz"})["opened_at"]
    lacking = ~np.isin(expected, opened)
    for first, last in connection.execute(_REAL_GAPS, key):
        lacking &= (expected < to_ms(first)) | (expected > to_ms(last))
    missing = np.flatnonzero(lacking)
    return expected, int(expected[missing[0]]) if len(missing) else until
