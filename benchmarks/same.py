"""Check that a peer and Mela computed the same; otherwise a ratio of their times means nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mela.errors import MelaError


def check_same(
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
) -> float:
    """Return the largest difference; raise MelaError if one exceeds both tolerances.

    >>> check_same("trades", [100], [101], absolute=1)
    1.0
    """
    if len(ours) != len(theirs):
        raise MelaError(f"{what}: expected {len(ours)} values as Mela has, but found {len(theirs)}")
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if not math.isclose(one, other, rel_tol=relative, abs_tol=absolute):
            raise MelaError(
                f"{what} must agree before speeds are compared, "
                f"but at {place} Mela has {one} and the peer {other}"
            )
    return float(max(abs(one - other) for one, other in zip(ours, theirs, strict=True)))
