"""A metric that Prometheus reads: name, kind, labels and help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Exported:
    """A metric. `summary` has two samples, `…_sum` and `…_count`.

    help: a phrase that names the unit
    source: who must answer for it: services, kafka, checkpoints, job, warehouse or trading
    """

    name: str
    kind: Literal["gauge", "counter", "summary"]
    help: str
    source: str
    labels: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """Return the names of the metric's samples, as queries use them."""
        ends = {"gauge": ("",), "counter": ("_total",), "summary": ("_sum", "_count")}
        return tuple(f"{self.name}{end}" for end in ends[self.kind])
