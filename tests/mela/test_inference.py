"""mela/inference.py: what symbols tell, and what they do not."""

import pytest
from hypothesis import given

from mela.inference import infer
from mela.instrument import FACTS
from tests.mela.test_instrument import NAMES


@pytest.mark.parametrize(
    ("name", "kind", "quote", "calendar"),
    [
        ("kraken:BTC/USD", "spot", "USD", "24/7"),
        ("bybit:BTC/USDT:USDT", "perp", "USDT", "24/7"),
        ("okx:BTC/USDT:USDT-240329", "future", "USDT", "24/7"),
        ("okx:BTC/USD:BTC-240329-50000-C", "option", "USD", "24/7"),
        ("alpaca:BTC/USD", "spot", "USD", "24/7"),
        ("alpaca:BRK.B", "equity", "USD", "XNYS"),
        ("binance:BTCUSDT", "spot", "USDT", "24/7"),
        ("binance:BTCBRL", "spot", "BRL", "24/7"),
        ("binance:ETHBTC", "spot", "BTC", "24/7"),
        ("binance:BTCIDRT", "spot", "IDRT", "24/7"),
        ("binance:BTCIDR", "spot", "IDR", "24/7"),
        ("binance:币安人生USDT", "spot", "USDT", "24/7"),
        ("binanceusdm:BTCUSDT", "perp", "USDT", "24/7"),
        ("yahoo:BTC-USD", "spot", "USD", "24/7"),
        ("yahoo:BTC-EUR", "spot", "EUR", "24/7"),
        ("yahoo:BRK-B", "equity", "USD", "XNYS"),
        ("yahoo:MOG-A", "equity", "USD", "XNYS"),
        ("yahoo:VOLV-B.ST", "equity", "SEK", "XSTO"),
        ("yahoo:7203.T", "equity", "JPY", "XTKS"),
        ("yahoo:VOD.L", "equity", "GBp", "XLON"),
        ("yahoo:M&M.NS", "equity", "INR", "XBOM"),
        ("yahoo:EURUSD=X", "fx", "USD", "24/5"),
        ("yahoo:JPY=X", "fx", "JPY", "24/5"),
        ("yahoo:ES=F", "future", "USD", "CMES"),
        ("yahoo:^GSPC", "index", "USD", "XNYS"),
        ("yahoo:BRK.B", "equity", "USD", "XNYS"),
        ("yahoo:ABC.QQ", "equity", "XXX", "XNYS"),
        ("yahoo:AAPL240119C00100000", "option", "USD", "XNYS"),
        ("my:EURUSD", "fx", "USD", "24/5"),
        ("my:X", "spot", "XXX", "24/7"),
    ],
)
def test_a_name_tells_what_its_venue_trades(name, kind, quote, calendar) -> None:
    found = infer(name)
    assert (found.kind, found.quote, found.calendar) == (kind, quote, calendar)


@given(NAMES)
def test_whatever_a_name_tells_is_inferred(name: str) -> None:
    found = infer(name)
    there = [fact for fact in FACTS if getattr(found, fact) is not None]
    assert {found.how(fact) for fact in there} == {"inferred"}
