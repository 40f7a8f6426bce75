"""mela/instrument.py: names that say whose candles they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mela.instrument import NAME, describe, file_stem, parse_name

NAMES = st.from_regex(NAME, fullmatch=True)


@given(NAMES)
def test_the_first_colon_ends_the_venue(name: str) -> None:
    venue, symbol = parse_name(name)
    assert f"{venue}:{symbol}" == name
    assert ":" not in venue
    assert describe(name).name == name


@given(NAMES)
def test_a_file_name_is_safe_everywhere_and_tells_its_instrument(name: str) -> None:
    stem = file_stem(name)
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
    venue, _, rest = stem.partition("_")
    first, *coded = rest.split("_")
    symbol = first + "".join(chr(int(part[:2], 16)) + part[2:] for part in coded)
    assert f"{venue}:{symbol}" == name


@pytest.mark.parametrize(
    ("name", "kind", "quote", "calendar"),
    [
        ("kraken:BTC/USD", "spot", "USD", "24/7"),
        ("bybit:BTC/USDT:USDT", "perp", "USDT", "24/7"),
        ("alpaca:BTC/USD", "spot", "USD", "24/7"),
        ("alpaca:BRK.B", "equity", "USD", "XNYS"),
        ("binance:BTCUSDT", "spot", "USDT", "24/7"),
        ("yahoo:BTC-USD", "spot", "USD", "24/7"),
        ("yahoo:EURUSD=X", "fx", "USD", "24/5"),
        ("yahoo:^GSPC", "equity", "USD", "XNYS"),
    ],
)
def test_a_name_tells_what_its_venue_trades(name, kind, quote, calendar) -> None:
    found = describe(name)
    assert (found.kind, found.quote, found.calendar) == (kind, quote, calendar)


@pytest.mark.parametrize(
    "name",
    ["BTC/USD", "kraken:", ":BTC/USD", "Kraken:BTC/USD", "kraken:/USD", "kraken:BTC USD", "a:b\n"],
)
def test_a_name_of_another_form_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected venue:symbol, as .*kraken:BTC/USD"):
        parse_name(name)
