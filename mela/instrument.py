"""An instrument: `venue:symbol`, where the venue names the source of the candles.

The first colon ends the venue. Three venues have adapters of their own and write symbols as their
services do: `binance:BTCUSDT`, `yahoo:AAPL`, `alpaca:AAPL` and `alpaca:BTC/USD`. Every other venue
is an exchange by ccxt's id (`kraken`, `coinbase`, `bybit`; `binanceusdm` for the perpetuals of
Binance), its symbols as ccxt writes them: `kraken:BTC/USD`, and with the coin that it settles in
`bybit:BTC/USDT:USDT` for a perpetual contract. A venue may also be a user's own word, for candles
of files.

An instrument has facts, and each says how it is known: `asked` of the source, `told` by a user,
`packaged` with Mela, or `inferred` from the name or the candles.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, get_args

Kind = Literal["spot", "perp", "future", "option", "equity", "etf", "fund", "index", "fx"]
KINDS: tuple[Kind, ...] = get_args(Kind)
How = Literal["inferred", "packaged", "asked", "told"]
SURENESS: tuple[How, ...] = get_args(How)  # the surest last
FACTS = (
    *("kind", "base", "quote", "calendar", "timezone", "exchange"),
    *("tick", "lot", "multiplier", "listed_on", "delisted_on"),
)
# facts that a run's answer may rest on
RULES = ("kind", "quote", "calendar", "tick", "lot", "multiplier")
UNKNOWN_CURRENCY = "XXX"  # ISO 4217 has it for what is no currency
VENUES = ("binance", "yahoo", "alpaca")  # those with adapters of their own
# A symbol is what its service lists: letters of any script, `M&M.NS`, `^GSPC`, `EURUSD=X`. It has
# no white space, control or invisible characters, no halves of a surrogate pair, and no signs that
# quote, separate or match elsewhere. The class has no \w, so that browsers read it as Python does.
_NEVER = (
    r"\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff"
    r"\ufff9-\uffff" + "\"'`" + r"\\,;\|<>\{\}\[\]?*%"
)
NAME = re.compile(rf"[a-z][a-z0-9\-]{{0,31}}:[^{_NEVER}\/:=.@&+~!\(\)\-][^{_NEVER}]{{0,63}}")
_LONGEST_STEM = 120  # file names end at 255 bytes, and more is put behind


@dataclass(frozen=True, slots=True)
class FactOrigin:
    """The origin of a fact.

    source: who said so (`binance`, `yahoo`, a file's name); at: when, None where nobody wrote it
    """

    how: How
    source: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable thing at one venue.

    kind: `spot` (coins), `perp`, `future`, `option`, `equity`, `etf`, `fund`, `index` or `fx`
    quote: the currency of its prices, as the source writes it (`USDT`, `GBp`); base: what is bought
    calendar: `24/7`, `24/5` or an exchange_calendars name (`XNYS`); timezone: of its days
    tick, lot: the smallest steps of price and size; None where unknown
    multiplier: how many units of what the price is of one contract stands for (50 for an E-mini of
        the S&P 500); None for one
    origins: fact → where it comes from; a fact that is not in it is asked of the venue
    """

    venue: str
    symbol: str
    kind: Kind
    quote: str
    calendar: str
    tick: float | None = None
    lot: float | None = None
    listed_on: date | None = None
    delisted_on: date | None = None
    base: str | None = None
    exchange: str | None = None
    timezone: str | None = None
    origins: Mapping[str, FactOrigin] = field(default_factory=dict[str, FactOrigin], hash=False)
    multiplier: float | None = None

    @property
    def name(self) -> str:
        """Return `venue:symbol`."""
        return f"{self.venue}:{self.symbol}"

    def origin(self, fact: str) -> FactOrigin:
        """Return where a fact comes from."""
        return self.origins.get(fact) or FactOrigin("asked", self.venue)

    def how(self, fact: str) -> How:
        """Return how a fact is known."""
        return self.origin(fact).how

    @property
    def inferred(self) -> tuple[str, ...]:
        """Return the facts of RULES that are there and only inferred."""
        return tuple(
            fact
            for fact in RULES
            if getattr(self, fact) is not None and self.how(fact) == "inferred"
        )

    def with_facts(self, facts: Mapping[str, Any], origin: FactOrigin) -> Instrument:
        """Return the instrument with facts of one origin in place of its own.

        facts: name of a fact → its value; None leaves what is known
        """
        given = {name: value for name, value in facts.items() if value is not None}
        origins = {**self.origins, **dict.fromkeys(given, origin)}
        return replace(self, **given, origins=origins)

    def joined(self, newer: Instrument) -> Instrument:
        """Return what is known once a newer description of the same instrument came.

        A fact gives way to one that is at least as sure; what the newer one does not state stays.
        """
        values: dict[str, Any] = {}
        origins: dict[str, FactOrigin] = {}
        for fact in FACTS:
            old, new = getattr(self, fact), getattr(newer, fact)
            is_surer = SURENESS.index(newer.how(fact)) >= SURENESS.index(self.how(fact))
            chosen = newer if new is not None and (old is None or is_surer) else self
            values[fact] = getattr(chosen, fact)
            if values[fact] is not None:
                # an equal fact keeps the moment since which it is known
                known = self if chosen is newer and _says_again(self, newer, fact) else chosen
                origins[fact] = known.origin(fact)
        return replace(newer, **values, origins=origins)


def changed_facts(before: Instrument, after: Instrument) -> tuple[str, ...]:
    """Return the facts that were known before and are others now.

    A fact that was unknown before does not count as changed.

    >>> btc = Instrument("binance", "BTCUSDT", "spot", "USDT", "24/7", tick=0.01)
    >>> changed_facts(btc, replace(btc, tick=0.1, lot=0.001))
    ('tick',)
    """
    return tuple(
        fact
        for fact in FACTS
        if getattr(before, fact) is not None and getattr(before, fact) != getattr(after, fact)
    )


def _says_again(old: Instrument, new: Instrument, fact: str) -> bool:
    return (
        getattr(old, fact) == getattr(new, fact)
        and old.how(fact) == new.how(fact)
        and old.origin(fact).source == new.origin(fact).source
    )


def parse_name(name: str) -> tuple[str, str]:
    """Split `venue:symbol` into its two parts. Raises ValueError where the form is another.

    >>> parse_name("binance:BTCUSDT")
    ('binance', 'BTCUSDT')
    >>> parse_name("bybit:BTC/USDT:USDT")
    ('bybit', 'BTC/USDT:USDT')
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            "expected venue:symbol, as binance:BTCUSDT, yahoo:AAPL or kraken:BTC/USD, "
            f"but found {name!r}"
        )
    if not unicodedata.is_normalized("NFC", name):
        raise ValueError(
            "expected venue:symbol, as kraken:BTC/USD, its letters composed (Unicode NFC), "
            f"but found {name!r}. Write {unicodedata.normalize('NFC', name)!r}"
        )
    venue, _, symbol = name.partition(":")
    return venue, symbol


def load_command(name: str, interval: str, start: object = None, end: object = None) -> str:
    """Return the command that brings the candles of an instrument into the warehouse.

    start, end: the span, for what a service is asked; a file has its own
    A venue of a user's own, whose symbols are no pairs of ccxt, has files.

    >>> load_command("yahoo:AAPL", "1d", "2024-01-01", "2024-02-01")
    'mela ingest yahoo:AAPL --interval 1d --from 2024-01-01 --to 2024-02-01'
    >>> load_command("my:X", "1d")
    'mela import FILE --instrument my:X --interval 1d'
    """
    venue, symbol = parse_name(name)
    if venue not in VENUES and "/" not in symbol:
        return f"mela import FILE --instrument {name} --interval {interval}"
    span = "" if start is None else f" --from {start} --to {end}"
    return f"mela ingest {name} --interval {interval}{span}"


def file_stem(name: str) -> str:
    """Return a name for files and folders that no two instruments share, safe on any system.

    The venue, an underscore, the symbol; each byte of it (UTF-8) that is no ASCII letter or digit,
    dot or hyphen becomes `_` and its code in hexadecimal. A long text keeps its beginning and a
    digest. Raises ValueError for a malformed name.

    >>> file_stem("kraken:BTC/USD"), file_stem("binance:BTCUSDT"), file_stem("bybit:A_B/USDT:USDT")
    ('kraken_BTC_2FUSD', 'binance_BTCUSDT', 'bybit_A_5FB_2FUSDT_3AUSDT')
    """
    venue, symbol = parse_name(name)
    coded = re.sub(rb"[^A-Za-z0-9.-]", lambda found: b"_%02X" % found[0][0], symbol.encode())
    stem = f"{venue}_{coded.decode()}"
    if len(stem) <= _LONGEST_STEM:
        return stem
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{stem[: _LONGEST_STEM - 34]}_x{digest}"  # x is no hexadecimal digit


def read_kind(word: str) -> Kind:
    """Return the kind that a word means. Raises ValueError for an unknown one.

    >>> read_kind("crypto"), read_kind("Stock"), read_kind("perpetual"), read_kind("forex")
    ('spot', 'equity', 'perp', 'fx')
    """
    lower = word.strip().lower()
    kind = _KIND_WORDS.get(lower, lower)
    if kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, but found {word!r}")
    return kind


_KIND_WORDS = {
    **dict.fromkeys(("crypto", "coin", "cryptocurrency"), "spot"),
    **dict.fromkeys(("perpetual", "swap"), "perp"),
    **dict.fromkeys(("futures",), "future"),
    **dict.fromkeys(("stock", "share"), "equity"),
    **dict.fromkeys(("forex", "currency"), "fx"),
}
