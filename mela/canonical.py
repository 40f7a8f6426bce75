"""Canonical JSON (RFC 8785) with every number an IEEE double, and hashes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Return the one spelling of a JSON value: keys sorted, numbers as doubles, UTF-8.

    Raises rfc8785.CanonicalizationError for what JSON cannot say (NaN, infinities).

    >>> canonical_json({"b": 10000, "a": 10000.00})
    b'{"a":10000,"b":10000}'
    """
    return rfc8785.dumps(_doubles(value))


@lru_cache(maxsize=65_536, typed=True)
def canonical_scalar(value: float | bool | str | None) -> bytes:
    """Return `canonical_json` of a scalar, remembered, as a grid repeats a few values."""
    return canonical_json(value)


def canonical_object(fields: Mapping[str, bytes]) -> bytes:
    """Return the canonical object of members that are canonical JSON already; names must be ASCII.

    >>> canonical_object({"b": b"1", "a": b"null"})
    b'{"a":null,"b":1}'
    """
    return b"{%s}" % b",".join([_named(name) + fields[name] for name in sorted(fields)])


def pieces_around(fields: Mapping[str, bytes], names: Collection[str]) -> list[bytes]:
    """Return what stands around the values of some names in a canonical object of these and fields.

    fields: the other members, as `canonical_object` takes them; what they have under `names` is
        left out
    returns: one piece more than there are names, in the order of the sorted names

    >>> pieces_around({"a": b"1", "c": b"3"}, ["b"])
    [b'{"a":1,"b":', b',"c":3}']
    """
    pieces = [b"{"]
    for name in sorted({*fields, *names}):
        if pieces[-1] != b"{":
            pieces[-1] += b","
        if name in names:
            pieces[-1] += _named(name)
            pieces.append(b"")
        else:
            pieces[-1] += _named(name) + fields[name]
    pieces[-1] += b"}"
    return pieces


@lru_cache(maxsize=4096)
def _named(name: str) -> bytes:
    return b'"%s":' % name.encode()


def digest(*parts: bytes | str) -> str:
    """Return the SHA-256 of some parts, each after its length, so that none runs into another."""
    return hashlib.sha256(parted(*parts)).hexdigest()


def parted(*parts: bytes | str) -> bytes:
    """Return what `digest` hashes: the first parts give the beginning of what all of them give."""
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join([b"%d:%s" % (len(part), part) for part in raw])


def _doubles(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _doubles(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [_doubles(part) for part in value]
    raise TypeError(f"expected a JSON value, but found {type(value).__name__}")
