"""Tell whether readers of one release understand the messages of another, by their schemas.

`backward`: today's reader understands what an older release wrote. `forward`: a reader of the
older release that passes over fields it does not know understands what today's code writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.trading_messages import TRADING

Schema = Mapping[str, Any]
# Whom a topic's messages outlive: its readers, its writers, or both. Mela alone reads mela.runs and
# mela.chunk_results, and an older job never reads what a newer one wrote. Clients write scenes.
# Of trading Mela reads nothing back: whoever reads it may be older or newer.
BACKWARD = (SCENES, RUNS, RESULTS, CHUNK_RESULTS, PROGRESS, REJECTED, *TRADING)
FORWARD = (RESULTS, PROGRESS, REJECTED, *TRADING)
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("pattern", "version", "format")
_WIDER = {"integer": {"integer", "number"}}


def faults(topic: str, old: Schema, new: Schema) -> list[str]:
    """Return in sentences what of a release's messages or readers today's schema would break."""
    found = [f"{topic}: today's reader refuses older messages: {one}" for one in fits(old, new)]
    if topic in FORWARD:
        found += [
            f"{topic}: an older reader refuses today's messages: {one}"
            for one in fits(new, old, may_add=True)
        ]
    return found


def fits(written: Schema, read: Schema, *, may_add: bool = False) -> list[str]:
    """Return why a reader of one schema would refuse messages of the other; empty where it won't.

    may_add: the reader passes over fields that it does not know
    """
    return list(_Comparison(written, read, may_add).of(written, read, ""))


class _Comparison:
    def __init__(self, written: Schema, read: Schema, may_add: bool) -> None:
        self._written = written.get("$defs", {})
        self._read = read.get("$defs", {})
        self._may_add = may_add
        self._seen: set[tuple[str, str]] = set()  # pairs of definitions, which may be recursive

    def of(self, written: Any, read: Any, at: str) -> Iterator[str]:
        """Yield why some written value might be refused."""
        names = (str(written.get("$ref")), str(read.get("$ref")))
        if names != ("None", "None"):
            if "None" not in names:
                if names in self._seen:
                    return
                self._seen.add(names)
            written, read = _found(written, self._written), _found(read, self._read)
        alternatives = written.get("anyOf") or written.get("oneOf")
        if alternatives:
            for one in alternatives:
                yield from self.of(one, read, at)
            return
        if choices := read.get("anyOf") or read.get("oneOf"):
            yield from self._one_of(written, choices, at)
            return
        yield from self._values(written, read, at)
        yield from self._bounds(written, read, at)
        yield from self._fields(written, read, at)
        if "items" in read:
            yield from self.of(written.get("items", {}), read["items"], f"{at}[]")
        if "shared" in read:
            shared = _Comparison(written["shared"], read["shared"], self._may_add)
            yield from shared.of(written["shared"], read["shared"], f"{at}shared")

    def _one_of(self, written: Schema, choices: list[Schema], at: str) -> Iterator[str]:
        """Yield the faults of the choice that comes nearest."""
        best: list[str] | None = None
        for choice in choices:
            seen = set(self._seen)
            found = list(self.of(written, choice, at))
            if not found:
                return
            self._seen = seen
            if best is None or len(found) < len(best):
                best = found
        yield from best or ()

    def _values(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        allowed, given = _values(read), _values(written)
        if allowed is not None:
            if given is None:
                yield f"{at or 'it'} may be anything, but only {_listed(allowed)} are read"
            elif more := [one for one in given if one not in allowed]:
                yield f"{at or 'it'} may be {_listed(more)}, which is not read"
        types, taken = _types(written), _types(read)
        if taken and not types and given is None:
            yield f"{at or 'it'} may have any type, but only {_listed(taken)} is read"
        for one in types if taken else ():
            if not _WIDER.get(one, {one}) & set(taken):
                yield f"{at or 'it'} may be of type {one}, but {_listed(taken)} is read"

    def _bounds(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        for name in (*_LEAST, *_MOST):
            limit, own = read.get(name), written.get(name)
            sign = 1 if name in _LEAST else -1
            if limit is not None and (own is None or sign * own < sign * limit):
                yield f"{at or 'it'} has the {name} {own}, but {limit} is read"
        for name in _SAME:
            if name in read and written.get(name) != read[name]:
                yield f"{at or 'it'} has the {name} {written.get(name)}, but {read[name]} is read"
        if missing := set(read.get("metadata", ())) - set(written.get("metadata", ())):
            yield f"{at or 'it'} lacks the metadata {_listed(sorted(missing))}"

    def _fields(self, written: Schema, read: Schema, at: str) -> Iterator[str]:
        mine, theirs = written.get("properties", {}), read.get("properties", {})
        others = read.get("additionalProperties", True)
        for name in read.get("required", ()):
            if name not in written.get("required", ()):
                yield f"{_in(at, name)} may be missing, but has to be there"
        for name, field in mine.items():
            if name in theirs:
                yield from self.of(field, theirs[name], _in(at, name))
            elif others is False and not self._may_add:
                yield f"{_in(at, name)} may be there, but is not known"
            elif isinstance(others, Mapping):
                yield from self.of(field, others, _in(at, name))
        given = written.get("additionalProperties")
        if isinstance(given, Mapping) and isinstance(others, Mapping):
            yield from self.of(given, others, f"{at}.*")
        elif mine and given is not False and others is False and not self._may_add:
            yield f"{at or 'it'} may have further fields, but they are not known"


def _found(schema: Schema, definitions: Schema) -> Schema:
    name = schema.get("$ref")
    return schema if name is None else definitions[str(name).rpartition("/")[2]]


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _in(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))
