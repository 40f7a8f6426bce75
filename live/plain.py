"""Dataclasses as JSON values and back, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_RARE = "left out where it is None"


def read(kind: type[Any], value: Any) -> Any:
    """Return a dataclass from what `plain` made of it."""
    return _reader(kind)(value)


def plain(value: Any) -> Any:
    """Return a dataclass, and all in it, as JSON values; NaN and infinity stay floats."""
    kind = type(value)
    if kind is float or kind is int or kind is str or kind is bool or value is None:
        return value
    if is_dataclass(kind):
        found = {name: plain(getattr(value, name)) for name in _names(kind)}
        for name in _rare(kind):
            if found[name] is None:
                del found[name]
        return found
    if kind is tuple or kind is list:
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value


def left_out() -> Any:
    """Return a field of a dataclass that is None and not written, unless it has a value.

    So a log that was written before there was such a field reads as it did.
    """
    return field(default=None, metadata={_RARE: True})


@cache
def _rare(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.metadata.get(_RARE))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a value of a type from JSON values."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        readers = {name: _reader(hints[name]) for name in _names(kind)}
        return lambda value: kind(**{name: readers[name](one) for name, one in value.items()})
    origin = get_origin(kind)
    if origin is tuple:
        of = _reader(get_args(kind)[0])
        return lambda value: tuple(map(of, value))
    if origin in (Union, UnionType):
        of = _reader(next(one for one in get_args(kind) if one is not type(None)))
        return lambda value: None if value is None else of(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if kind is float:
        return float
    return lambda value: value
