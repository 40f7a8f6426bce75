"""Variants of a group of a run's fields: in memory where they are few, made again where many."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from mela.canonical import canonical_object
from mela.search import Scalar

MOST_LISTED = 50_000  # of a group: a variant in memory takes a kilobyte
MOST_KINDS = 1_000
_PLAIN = {"strategy"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One validated choice of a group: fields of Run, and their canonical JSON for the run_key."""

    fields: Mapping[str, Any]
    canonical: Mapping[str, bytes]


def merged(choice: Iterable[Variant]) -> Variant:
    """Return variants of different groups as one."""
    fields: dict[str, Any] = {}
    canonical: dict[str, bytes] = {}
    for variant in choice:
        fields.update(variant.fields)
        canonical.update(variant.canonical)
    return Variant(fields, canonical)


class ManyVariants(Sequence[Variant]):
    """Variants that are validated again whenever they are asked for; each takes eight bytes.

    axes: the values of each field; places: which of their combinations, in the order of
        itertools.product, are variants; make: returns the variant of a combination
    kinds: one of each kind, or None where there are many kinds
    """

    def __init__(
        self,
        axes: Sequence[Sequence[Scalar]],
        places: Sequence[int],
        make: Callable[[Sequence[Scalar]], Variant],
        kinds: Sequence[Variant] | None,
    ) -> None:
        self._axes, self._places, self._make, self.kinds = axes, places, make, kinds

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Variant]: ...
    def __getitem__(self, index: int | slice) -> Variant | Sequence[Variant]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place, values = self._places[index], list[Scalar]()
        for axis in reversed(self._axes):
            place, at = divmod(place, len(axis))
            values.append(axis[at])
        return self._make(values[::-1])

    def __iter__(self) -> Iterator[Variant]:
        return (self[index] for index in range(len(self)))


class VariantList:
    """Collects the distinct variants of a group, the first of those that are the same."""

    def __init__(
        self,
        axes: Mapping[str, Sequence[Scalar]],
        make: Callable[[Sequence[Scalar]], Variant],
    ) -> None:
        self._axes, self._make = list(axes.values()), make
        self._known: set[bytes] = set()
        self._places = array("Q")
        self._listed: list[Variant] = []
        self._kinds: dict[tuple[Any, ...], Variant] = {}

    def add(self, place: int, variant: Variant) -> None:
        """Add the variant of a combination, if there is none like it yet."""
        key = hashlib.blake2b(canonical_object(variant.canonical), digest_size=16).digest()
        if key in self._known:
            return
        self._known.add(key)
        self._places.append(place)
        if len(self._places) <= MOST_LISTED:
            self._listed.append(variant)
        else:
            self._listed.clear()
        if len(self._kinds) <= MOST_KINDS:
            self._kinds.setdefault(_kind(variant), variant)

    def taken(self) -> Sequence[Variant]:
        """Return the variants."""
        if len(self._places) <= MOST_LISTED:
            return self._listed
        known = list(self._kinds.values()) if len(self._kinds) <= MOST_KINDS else None
        return ManyVariants(self._axes, self._places, self._make, known)


def kinds(group: Sequence[Variant]) -> Sequence[Variant]:
    """Return variants of a group that differ in more than parameters, or all of them.

    Rules across fields are checked on these, because they do not depend on parameters.
    """
    known = group.kinds if isinstance(group, ManyVariants) else None
    return group if known is None else known


def _kind(variant: Variant) -> tuple[Any, ...]:
    if set(variant.canonical) == _PLAIN:
        return (variant.fields["strategy"],)
    others = (item for item in variant.canonical.items() if item[0] != "strategy")
    return variant.fields.get("strategy"), *others


def combinations(groups: Sequence[Sequence[Variant]]) -> Iterator[tuple[Variant, ...]]:
    """Yield one variant of each group in the order of itertools.product, which lists them all."""
    if not any(isinstance(group, ManyVariants) for group in groups):
        yield from itertools.product(*groups)
        return
    first, *others = groups
    for variant in first:
        for choice in combinations(others):
            yield variant, *choice
