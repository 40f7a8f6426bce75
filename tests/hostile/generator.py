"""Messages that nobody should send, made from valid ones by a seed: the same seed, the same bytes.

Each kind breaks a message in one way. A message may still be valid afterwards (another cash is
another scene); whoever reads it decides, and these tests hold the reader to deciding.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

MEGABYTE = 2**20
NAMES = (
    "'; DROP TABLE ops.scene; --",
    '"; SELECT pg_sleep(9); --',
    "../../../../etc/passwd",
    "/dev/zero",
    "__class__.__mro__",
    "__import__('os').system('true')",
    "{0.__class__.__init__.__globals__}",
    "%s%n%x",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "[bold red]rich[/bold red][/nothing]",
    "\x1b[2J\x1b]0;title\x07",
    "a\x00b",
    "\ud800",
    "\udfff tail",
    "\u202egnp.exe",
    "e\u0301\u200b\ufeff",
    "\U0001f4a9" * 40,
    "\r\nSet-Cookie: a=b",
    "\\N",
    "\\.",
    '","',
    "NaN",
    "null",
    "binance:",
    ":BTCUSDT",
    "binance:BTC:USDT",
    "kind=grid",
    "search.space.cash.",
    "strategy.params..",
    ".",
    "",
    " ",
)
NUMBERS = (
    *(0, -1, 1, -0.0, 0.1, 1.5, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63)),
    *(-(2**64), 10**30, 10**400, 1e308, -1e308, 5e-324, 1e-7, 1e15, 1e16, 999_999_999_999),
)
INSTANTS = (
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"),
    *("0001-01-01T00:00:00+23:59", "2023-02-30", "2023-13-45T99:99:99Z", "2024-01-01"),
    *("2024-01-01T00:00:00", "1e9", "1700000000", "-1", "now", "infinity", "epoch"),
    *("20240101", "2024-W01", "2024-01-01T00:00:00.1234567890123Z", "2024-01-01 00:00Z"),
    *("294277-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"),
)
RAW = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "01", "1.", ".5", "+1", "0x10", "'a'")
VERSIONS = (0, 2, -1, 99, "1", "one", True, 1.0, 1.5, 1e308, None, [], {}, 2**70)
DEPTHS = (20, 99, 101, 199, 201, 255, 500, 990, 1023, 1025, 3000, 100_000)
MARK = "@@hostile@@"


class Hostile(NamedTuple):
    """A message: how it was broken, and its bytes. None is a message without a value."""

    kind: str
    value: bytes | None


def hostile(valid: Sequence[Mapping[str, Any]], seed: int, count: int) -> Iterator[Hostile]:
    """Yield hostile messages made from valid documents, each kind in turn.

    The largest have 10 MB; there are some ten of them in 10,000.
    """
    rng = Random(seed)  # noqa: S311  the same each time
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield Hostile(kind.__name__.strip("_"), kind(rng, copy.deepcopy(dict(rng.choice(valid)))))


def spelled(document: Any) -> bytes:
    """Return JSON as any client may write it: numbers of any size, lone surrogates escaped."""
    return json.dumps(document).encode()


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a document, the whole one excluded."""
    parts = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def put(document: Any, path: Sequence[Any], value: Any) -> Any:
    """Return a document with another value at a path."""
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return document


def strange(rng: Random) -> Any:
    """Return a value that a field hardly expects."""
    return rng.choice(STRANGE)(rng)


def _any_text(rng: Random) -> str:
    """Return text of any signs, made at once: a call for each of 3,000 would take milliseconds."""
    return "".join(map(chr, rng.choices(range(32, 0xD7FF), k=rng.choice((5, 3000)))))


STRANGE: tuple[Callable[[Random], Any], ...] = (
    lambda _: None,
    lambda rng: rng.random() < 0.5,
    lambda rng: rng.choice(NAMES),
    lambda rng: rng.choice(NUMBERS),
    lambda rng: rng.choice(NUMBERS),
    lambda rng: rng.choice(INSTANTS),
    lambda rng: rng.uniform(-1e6, 1e6),
    lambda _: [],
    lambda _: {},
    lambda rng: [rng.choice(NAMES)] * rng.choice((1, 3, 300)),
    lambda rng: {rng.choice(NAMES): rng.choice(NUMBERS)},
    lambda _: [[[]]],
    lambda rng: "x" * rng.choice((201, 2_800, 9_000, 70_000)),
    _any_text,
)


def _somewhere(rng: Random, document: dict[str, Any]) -> tuple[Any, ...]:
    return rng.choice(list(places(document)))


def _noise(rng: Random, _document: dict[str, Any]) -> bytes:
    return rng.randbytes(rng.choice((1, 2, 7, 64, 1000)))


def _nothing(rng: Random, _document: dict[str, Any]) -> bytes | None:
    return rng.choice((None, b"", b" ", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe{\x00}\x00"))


def _no_object(rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(rng.choice(([document], strange(rng), [], "x", 7, None, True, [[document]])))


def _cut(rng: Random, document: dict[str, Any]) -> bytes:
    whole = spelled(document)
    return whole[: rng.randrange(len(whole))]


def _followed(rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(document) + rng.choice((b"}", b"\x00", b"{}", b",", spelled(document)))


def _flipped(rng: Random, document: dict[str, Any]) -> bytes:
    whole = bytearray(spelled(document))
    for _ in range(rng.choice((1, 1, 2, 8))):
        whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    return bytes(whole)


def _retyped(rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(put(document, _somewhere(rng, document), strange(rng)))


def _retyped_at_the_top(rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(put(document, (rng.choice(list(document)),), strange(rng)))


def _retyped_often(rng: Random, document: dict[str, Any]) -> bytes:
    for _ in range(rng.randrange(2, 6)):
        document = put(document, _somewhere(rng, document), strange(rng))
    return spelled(document)


def _lacking(rng: Random, document: dict[str, Any]) -> bytes:
    *way, last = _somewhere(rng, document)
    holder: Any = document
    for name in way:
        holder = holder[name]
    del holder[last]
    return spelled(document)


def _extended(rng: Random, document: dict[str, Any]) -> bytes:
    holders = [document, *(each for each in document.values() if isinstance(each, dict))]
    name = rng.choice((*NAMES, "n" * 5_000, "schema_version ", "Scene_id"))
    rng.choice(holders)[name] = strange(rng)
    return spelled(document)


def _repeated(rng: Random, document: dict[str, Any]) -> bytes:
    name = rng.choice(list(document))
    again = f"{json.dumps(name)}: {json.dumps(strange(rng))}, "
    return b"{" + again.encode() + spelled(document)[1:]


def _versioned(rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(document | {"schema_version": rng.choice(VERSIONS)})


def _no_number(rng: Random, document: dict[str, Any]) -> bytes:
    marked = spelled(put(document, _somewhere(rng, document), MARK))
    return marked.replace(b'"%s"' % MARK.encode(), rng.choice(RAW).encode())


def _deep(rng: Random, document: dict[str, Any]) -> bytes:
    depth = rng.choice(DEPTHS)
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    nested = opening * depth + rng.choice(("1", "null", '"x"')) + closing * depth
    if rng.random() < 0.3:
        return nested.encode()
    marked = spelled(put(document, _somewhere(rng, document), MARK))
    return marked.replace(b'"%s"' % MARK.encode(), nested.encode())


def _large(rng: Random, document: dict[str, Any]) -> bytes:
    size = rng.choice((3_000, 10_000, 30_000, 100_000))
    if rng.random() < 0.05:
        size = rng.choice((MEGABYTE + 1, 10 * MEGABYTE))
    what = "".join(chr(rng.randrange(33, 127)) for _ in range(1000)) * (size // 1000)
    if rng.random() < 0.2:
        return spelled(document | {what: 1})
    return spelled(put(document, _somewhere(rng, document), what))


def _changed(rng: Random, document: dict[str, Any]) -> bytes:
    """One number or text a little changed: the same id with other content."""
    path = _somewhere(rng, document)
    value: Any = document
    for name in path:
        value = value[name]
    if isinstance(value, bool) or value is None:
        value = not value
    elif isinstance(value, int | float):
        value = value + rng.choice((-1, 1, 0.5))
    elif isinstance(value, str):
        value = value[:-1] + rng.choice("0aZ")
    return spelled(put(document, path, value))


def _again(_rng: Random, document: dict[str, Any]) -> bytes:
    return spelled(document)


KINDS: tuple[Callable[[Random, dict[str, Any]], bytes | None], ...] = (
    *(_noise, _nothing, _no_object, _cut, _followed, _flipped, _retyped, _retyped_at_the_top),
    *(_retyped_often, _lacking, _extended, _repeated, _versioned, _no_number, _deep, _changed),
    *(_retyped, _retyped_at_the_top, _changed, _retyped, _lacking, _extended, _retyped, _changed),
    *(_again, _large),
)
