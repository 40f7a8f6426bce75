"""mela/instrument.py: names that say whose candles they are."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mela.inference import infer
from mela.instrument import (
    NAME,
    FactOrigin,
    Instrument,
    changed_facts,
    file_stem,
    parse_name,
    read_kind,
)
from mela.scene import parse_scene

NAMES = st.from_regex(NAME, fullmatch=True).filter(lambda n: unicodedata.is_normalized("NFC", n))
SCENE = {
    "schema_version": 1,
    "interval": "1d",
    "start": "2024-01-01T00:00:00Z",
    "end": "2025-01-01T00:00:00Z",
    "strategy": {"name": "buy_and_hold"},
    "cash": 1000,
}
LISTED = [
    "yahoo:M&M.NS",
    "yahoo:^GSPC",
    "yahoo:EURUSD=X",
    "yahoo:BRK-B",
    "yahoo:ES=F",
    "yahoo:0700.HK",
    "yahoo:L&TFH.NS",
    "yahoo:DX-Y.NYB",
    "binance:币安人生USDT",
    "binance:1000SATSUSDT",
    "alpaca:BRK.B",
    "bybit:BTC/USDT:USDT",
    "okx:BTC/USD:BTC-240329-50000-C",
    "gate:$MYRO/USDT",
    "mexc:我踏马来了/USDT",
    "mexc:ELON(DOGE)/USDT",
    "kucoin:VELO+/USDT",
    "my:Ñandú",
]


@given(NAMES)
def test_the_first_colon_ends_the_venue(name: str) -> None:
    venue, symbol = parse_name(name)
    assert f"{venue}:{symbol}" == name
    assert ":" not in venue
    assert infer(name).name == name


@pytest.mark.parametrize("name", LISTED)
def test_what_services_list_is_a_name(name: str) -> None:
    assert ":".join(parse_name(name)) == name
    assert parse_scene({**SCENE, "instruments": [name]}).instruments == (name,)


@given(NAMES)
def test_a_file_name_is_safe_everywhere_and_tells_its_instrument(name: str) -> None:
    stem = file_stem(name)
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
    assert len(stem) <= 120
    venue, _, rest = stem.partition("_")
    if len(stem) == 120 and re.search("_x[0-9a-f]{32}$", stem):  # cut, with a digest of the whole
        return
    first, *coded = rest.split("_")
    symbol = first.encode() + b"".join(bytes([int(p[:2], 16)]) + p[2:].encode() for p in coded)
    assert f"{venue}:{symbol.decode()}" == name


def test_file_names_of_other_scripts_and_signs_stay_apart() -> None:
    """`^` is 5E in hexadecimal, and 币 is U+5E01."""
    stems = {file_stem(name) for name in ("yahoo:A^01", "yahoo:A币", f"my:{'币' * 64}")}
    assert len(stems | {file_stem(f"my:{'币' * 63}")}) == 4


@pytest.mark.parametrize(
    "name",
    [
        *("BTC/USD", "kraken:", ":BTC/USD", "Kraken:BTC/USD", "kraken:/USD", "kraken:BTC USD"),
        *(
            "a:b\n",
            "a:b\x00",
            "a:b\u200b",
            "a:b\ud800",
            "a:b'c",
            'a:b"',
            "a:b,c",
            "a:b;c",
            "a:b\\c",
        ),
        *("a:b;c", "a:b\\c"),
        *("a:b?", "a:b*", "a:%41", "a:<b>", "a:b|c", "a:{b}", "a:[b]", "a:..", "a:b\u00a0c"),
        "a:" + "b" * 65,
    ],
)
def test_a_name_of_another_form_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected venue:symbol, as .*kraken:BTC/USD"):
        parse_name(name)


def test_a_symbol_in_decomposed_letters_is_refused_with_the_composed_form() -> None:
    with pytest.raises(ValueError, match=r"NFC.*Write 'my:Ñandu'"):
        parse_name(unicodedata.normalize("NFD", "my:Ñandu"))


ASKED = FactOrigin("asked", "binance")
BTC = Instrument("binance", "BTCUSDT", "spot", "USDT", "24/7", tick=0.01)


def test_a_surer_fact_stays_and_an_equally_sure_one_gives_way() -> None:
    told = BTC.with_facts({"calendar": "XNYS"}, FactOrigin("told", "an option"))
    newer = BTC.with_facts({"tick": 0.1, "quote": "USDC"}, ASKED)

    joined = told.joined(newer)

    assert (joined.calendar, joined.how("calendar")) == ("XNYS", "told")
    assert (joined.tick, joined.quote) == (0.1, "USDC")
    assert changed_facts(told, joined) == ("quote", "tick")


def test_an_inferred_fact_replaces_none_that_is_known() -> None:
    guess = infer("binance:BTCUSDT").with_facts({"quote": "USD"}, FactOrigin("inferred", "a name"))

    assert BTC.joined(guess).quote == "USDT"
    assert guess.joined(BTC).quote == "USDT"
    assert BTC.joined(guess).base == "BTC"  # what nobody knew is better inferred than not known


def test_what_a_newer_description_leaves_out_stays() -> None:
    assert BTC.joined(Instrument("binance", "BTCUSDT", "spot", "USDT", "24/7")).tick == 0.01


def test_a_fact_that_becomes_known_is_no_change() -> None:
    lot = BTC.with_facts({"lot": 0.001}, ASKED)
    assert changed_facts(BTC, lot) == ()


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"expected a kind of spot, perp, .*, but found 'bond'"):
        read_kind("bond")
