"""warehouse/ingestion/instruments.py: what is known of instruments, version by version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mela.inference import infer
from mela.instrument import FactOrigin, Instrument
from mela.settings import Settings
from tests.warehouse.given import answer, load, rows
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.ingestion import instruments

pytestmark = pytest.mark.integration
BTC = Instrument(
    *("binance", "BTCUSDT", "spot", "USDT", "24/7"), tick=0.01, lot=1e-5, base="BTC", timezone="UTC"
)
VERSIONS = """
    SELECT v.kind, v.tick, v.calendar, v.known_until = coalesce(
        (SELECT min(later.known_from) FROM ops.instrument_version later
         WHERE later.instrument_id = v.instrument_id AND later.known_from > v.known_from),
        i.known_from) AS follows
    FROM ops.instrument_version v JOIN ops.instrument i ON i.id = v.instrument_id
    ORDER BY v.known_from
"""


def store(settings: Settings, *described: Instrument) -> Instrument:
    for one in described:
        with transaction(settings) as connection:
            instruments.upsert(connection, one)
    with transaction(settings) as connection:
        return instruments.known(connection, [BTC.name])[BTC.name]


def test_facts_come_back_with_where_they_are_from(warehouse: Settings) -> None:
    guessed = BTC.with_facts({"calendar": "24/7"}, FactOrigin("inferred", "the symbol"))
    found = store(warehouse, guessed)

    assert replace(found, origins={}) == replace(guessed, origins={})
    assert (found.how("tick"), found.origin("tick").source) == ("asked", "binance")
    assert found.origin("tick").at is not None
    assert found.inferred == ("calendar",)


def test_the_same_facts_again_change_nothing(warehouse: Settings) -> None:
    first = store(warehouse, BTC)
    assert store(warehouse, BTC, BTC) == first
    assert rows(warehouse, VERSIONS) == []


def test_a_changed_fact_makes_a_version(warehouse: Settings) -> None:
    store(warehouse, BTC, replace(BTC, tick=0.1), replace(BTC, tick=0.1, kind="perp"))

    found: list[Any] = [tuple(row) for row in rows(warehouse, VERSIONS)]

    assert found == [("spot", 0.01, "24/7", True), ("spot", 0.1, "24/7", True)]


def test_what_becomes_known_fills_the_version_that_is_there(warehouse: Settings) -> None:
    found = store(warehouse, replace(BTC, tick=None), BTC)

    assert found.tick == 0.01
    assert rows(warehouse, VERSIONS) == []


def test_a_source_goes_before_what_was_inferred_and_a_user_before_it(warehouse: Settings) -> None:
    guess = infer(BTC.name).with_facts({"quote": "USD"}, FactOrigin("inferred", "the symbol"))
    told = BTC.with_facts({"calendar": "XNYS"}, FactOrigin("told", "mela instrument"))

    assert store(warehouse, guess, BTC, guess).quote == "USDT"
    assert store(warehouse, told, BTC).calendar == "XNYS"
    assert len(rows(warehouse, VERSIONS)) == 2


def test_candles_carry_what_is_known_of_their_instrument(warehouse: Settings) -> None:
    load(warehouse, replace(answer([1.0] * 24), instrument=BTC))

    span = rows(warehouse, "SELECT min(opened_at), max(opened_at) FROM raw.candle")[0]
    read = CandleReader(warehouse).read(BTC.name, "1h", *span, 0, "raw").candles

    assert read.about is not None
    assert (read.about.name, read.about.kind, read.about.base) == (BTC.name, "spot", "BTC")
    assert (read.calendar, read.tick, read.lot) == ("24/7", 0.01, 1e-5)


def test_a_multiplier_is_stored_and_versioned_as_the_other_facts_are(warehouse: Settings) -> None:
    future = replace(BTC, kind="future", multiplier=50.0)
    load(warehouse, replace(answer([1.0] * 24), instrument=future))
    span = rows(warehouse, "SELECT min(opened_at), max(opened_at) FROM raw.candle")[0]

    assert CandleReader(warehouse).read(BTC.name, "1h", *span, 0, "raw").candles.multiplier == 50.0
    store(warehouse, replace(future, multiplier=5.0))
    assert [*rows(warehouse, "SELECT multiplier FROM ops.instrument_version")[0]] == [50.0]
    assert [*rows(warehouse, "SELECT multiplier FROM ops.instrument")[0]] == [5.0]
