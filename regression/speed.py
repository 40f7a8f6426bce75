"""Compare how long HEAD and BASE take, from times measured in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mela.counts import counted
from regression.evidence import Side

CERTAIN = 0.1  # a time counts as changed from a tenth on, if all repetitions agree


@dataclass(frozen=True, slots=True)
class Ratio:
    """HEAD's time over BASE's: the median, minimum and maximum of the repetitions.

    base_s: BASE's own median time
    """

    name: str
    middle: float
    low: float
    high: float
    repeats: int
    base_s: float

    @property
    def is_certain(self) -> bool:
        """Tell whether all repetitions changed the same way, and the median by a tenth."""
        is_same_sign = self.low > 1.0 or self.high < 1.0
        return is_same_sign and abs(self.middle - 1.0) >= CERTAIN


def ratio_of(name: str, base: Sequence[float], head: Sequence[float]) -> Ratio:
    """Return the ratio of times measured in turns, each pair of one repetition.

    >>> ratio_of("one", [2.0, 2.0, 2.0], [3.0, 2.0, 2.5])
    Ratio(name='one', middle=1.25, low=1.0, high=1.5, repeats=3, base_s=2.0)
    """
    each = np.array(head) / np.array(base)
    return Ratio(
        name,
        float(np.median(each)),
        float(each.min()),
        float(each.max()),
        len(each),
        float(np.median(base)),
    )


def ratios(base: Side, head: Side) -> tuple[Ratio | None, list[Ratio]]:
    """Return the ratio of the whole catalogue, and of each scene; None if nothing was timed."""
    names = [name for name in base.seconds if name in head.seconds]
    if not names:
        return None, []
    each = [ratio_of(name, base.seconds[name], head.seconds[name]) for name in names]
    whole = [np.sum([side.seconds[name] for name in names], axis=0) for side in (base, head)]
    return ratio_of(counted(len(names), "scene"), whole[0].tolist(), whole[1].tolist()), each
