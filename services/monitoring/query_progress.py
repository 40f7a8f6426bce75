"""Read from checkpoints how far the streaming queries have come, and their backlog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mela.messages import CHUNK_RESULTS, PROGRESS, RESULTS, RUNS, SCENES

# What each query reads, and where it sends what it makes of it while a batch is still at work.
READS = {"plan": SCENES, "run": RUNS, "record": CHUNK_RESULTS, "conclude": PROGRESS}
SENDS = {
    "plan": (RUNS, RESULTS),
    "run": (CHUNK_RESULTS,),
    "record": (PROGRESS,),
    "conclude": (PROGRESS,),
}
# A query that reads another topic than in an older release needs a checkpoint of another name.
_RENAMED = {"record": "record-chunks"}


@dataclass(frozen=True, slots=True)
class Position:
    """A query's last committed batch (-1 before the first) and the offsets behind it."""

    batch: int = -1
    offsets: Mapping[int, int] = field(default_factory=dict[int, int])

    @property
    def messages(self) -> int:
        """Return how many messages the query has read since its topic began."""
        return sum(self.offsets.values())

    def waiting(self, ends: Mapping[int, int]) -> int:
        """Return how many messages lie between this position and the ends of the partitions."""
        return sum(max(0, end - self.offsets.get(number, 0)) for number, end in ends.items())


def checkpoints(home: Path) -> Path:
    """Return the folder of all queries' checkpoints."""
    return home / "spark" / "checkpoints"


def checkpoint(home: Path, query: str) -> Path:
    """Return the folder where Spark keeps a query's checkpoint."""
    return checkpoints(home) / _RENAMED.get(query, query)


def committed(home: Path, query: str) -> Position:
    """Return how far a query has come, by the checkpoint that Spark keeps of it.

    `commits/N` names each batch that was done, and `offsets/N` what it read. Raises ValueError for
    a checkpoint of another form.
    """
    folder = checkpoint(home, query)
    for _ in range(3):  # Spark may remove the file that was just listed
        try:
            names = [one.name for one in (folder / "commits").iterdir()]
            batch = max((int(name) for name in names if name.isdigit()), default=-1)
            if batch < 0:
                return Position()
            text = (folder / "offsets" / str(batch)).read_text(encoding="utf-8")
        except FileNotFoundError:
            if not (folder / "commits").exists():
                return Position()
            continue
        return Position(batch, _offsets(text, READS[query], folder))
    return Position()


def _offsets(text: str, topic: str, folder: Path) -> dict[int, int]:
    """Read the last line of a file of offsets: `{"mela.runs":{"0":5,"1":7}}`."""
    try:
        found = json.loads(text.splitlines()[-1])[topic]
        return {int(number): int(offset) for number, offset in found.items()}
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} holds no offsets of {topic}: {error!r}") from error
