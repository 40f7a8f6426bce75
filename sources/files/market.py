"""Infer facts of the instrument whose candles a file holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from mela.calendar_inference import infer_calendar, opens_on_saturdays
from mela.calendars import ALWAYS, has_sessions, zone_of
from mela.inference import NOTHING, kind_of_calendar
from mela.instrument import UNKNOWN_CURRENCY, FactOrigin, Instrument
from mela.interval import Interval
from sources.files.arrow import pc
from sources.files.options import NO_OPTIONS, FileOptions
from sources.files.table import Int
from sources.instruments import describe

FROM_TIMES = FactOrigin("inferred", "the times of its candles")
NOBODY = "file:candles"  # stands for an instrument where none is named


def market_of(
    instrument: str | None, opened_ms: Int, interval: Interval, options: FileOptions = NO_OPTIONS
) -> Instrument:
    """Return an instrument by what the user tells, what is packaged, its name, and its times.

    opened_ms: (n,) int64, rising, when candles open; used where nothing else tells the calendar
    instrument: None where none is named; what is known then is of nobody in particular
    """
    name = instrument or NOBODY
    about = options.about(describe(name))
    if about.origin("calendar") == NOTHING or _contradicts(about, opened_ms):
        about = about.with_facts({"calendar": infer_calendar(opened_ms, interval)}, FROM_TIMES)
    if about.origin("kind") == NOTHING:
        about = about.with_facts({"kind": kind_of_calendar(about.calendar)}, FROM_TIMES)
    if about.timezone is None and about.how("calendar") == "told":
        about = replace(about, timezone=zone_of(about.calendar))
    return about


@dataclass(frozen=True, slots=True)
class Hours:
    """When a file's market is open, as far as that is known before its candles have dates.

    around_the_clock: whether it has no nights
    calendar, timezone: its exchange's; None where nothing tells them
    """

    around_the_clock: bool
    calendar: str | None = None
    timezone: str | None = None


def hours_of(instrument: str | None, times_ms: Int, options: FileOptions = NO_OPTIONS) -> Hours:
    """Return when the market of a file's instrument is open.

    times_ms: (n,) int64, rising, as the file's clock shows them
    """
    about = options.about(describe(instrument or NOBODY))
    if about.origin("calendar") == NOTHING:
        return Hours(opens_on_saturdays(times_ms))
    if not has_sessions(about.calendar):
        return Hours(about.calendar == ALWAYS)
    is_stated = about.how("calendar") == "told"
    zone = zone_of(about.calendar) if is_stated or about.timezone is None else about.timezone
    if _contradicts(about, local_ms(times_ms, zone)):
        return Hours(around_the_clock=True)
    return Hours(False, about.calendar, zone)


def local_ms(instants: Int, zone: str) -> Int:
    """Return what a zone's clocks show at each instant: (n,) int64, milliseconds since 1970."""
    shown = pc.local_timestamp(pa.array(instants, pa.timestamp("ms", zone)))
    return pc.cast(shown, pa.int64()).to_numpy()


def inferred_words(about: Instrument) -> str | None:
    """Return a sentence that says what was inferred, and how to tell it; None if nothing was."""
    guessed = [fact for fact in ("kind", "quote", "calendar") if about.how(fact) == "inferred"]
    if not guessed:
        return None
    origins = ", ".join(_origin_phrase(about, fact) for fact in guessed)
    options = " ".join(f"--{fact}" for fact in guessed)
    return f"{about.name}: {origins}. Tell it, where you know better, with {options}."


def _origin_phrase(about: Instrument, fact: str) -> str:
    source = about.origin(fact)
    value = getattr(about, fact)
    if source == NOTHING:
        return f"nothing tells its {fact}" + (
            "" if value == UNKNOWN_CURRENCY else f", {value} taken"
        )
    return f"{fact} {value} inferred from {source.source}"


def _contradicts(about: Instrument, opened_ms: Int) -> bool:
    """Tell whether candles of many Saturdays stand where sessions were inferred from a symbol."""
    if about.how("calendar") != "inferred" or not has_sessions(about.calendar):
        return False
    return opens_on_saturdays(opened_ms)
