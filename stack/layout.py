"""The layout of this machine's stack: one broker and one Spark, or a small cluster.

A cluster is three brokers, of which one may die, and Spark's master with two workers, of which one
may die. The choice is made before Kafka first stores anything, and kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mela.errors import StackFailed

CLUSTER = "MELA_STACK_CLUSTER"  # "true": a cluster
BROKERS = ("kafka", "kafka-2", "kafka-3")
WORKERS = ("spark-worker-1", "spark-worker-2")
COPIES = len(BROKERS)  # of each topic
# What a cluster is made of, so that nobody else may choose it.
_CHOSEN_HERE = (
    *("MELA_KAFKA__BROKERS", "MELA_KAFKA__REPLICATION"),
    *("MELA_SPARK__MASTER", "MELA_SPARK__DRIVER_HOST"),
)
_FORMATTED = "meta.properties"  # Kafka's own mark in a folder that it may use


def is_cluster(kept: Mapping[str, str]) -> bool:
    """Tell whether the stack of this stack.env is a cluster."""
    return kept.get(CLUSTER) == "true"


def kind(cluster: bool) -> dict[str, str]:
    """Return what stack.env says of the choice."""
    return {CLUSTER: str(cluster).lower()}


def broker_data(home: Path, number: int, *, cluster: bool) -> Path:
    """Return the folder of a broker's topics; number: from 1."""
    return home / "kafka" / "cluster" / str(number) / "data" if cluster else home / "kafka" / "data"


def chosen(
    home: Path, kept: Mapping[str, str], cluster: bool | None, say: Callable[[str, str], None]
) -> bool:
    """Return whether the stack shall be a cluster; report where an earlier choice decides.

    cluster: what the user chose now; None for no choice
    Raises StackFailed where the home holds topics of the other kind, or a variable of the
    environment chooses a part of the cluster.
    """
    was_cluster = is_cluster(kept)
    if cluster is None and was_cluster:
        say("stack", "a cluster of three brokers and two Spark workers, as before")
    wanted = was_cluster if cluster is None else cluster
    data = broker_data(home, 1, cluster=not wanted)
    if (data / _FORMATTED).exists():
        raise StackFailed(_other_kind(home, data, wanted=wanted))
    if wanted and (given := [name for name in _CHOSEN_HERE if os.environ.get(name)]):
        raise StackFailed(
            f"expected `mela up --cluster` to choose {', '.join(given)}, but found it set in the "
            "environment; take it away, or start without --cluster where your own Kafka or Spark "
            "is used"
        )
    return wanted


def _other_kind(home: Path, data: Path, *, wanted: bool) -> str:
    found, word, back = "a cluster", "--single", "--cluster"
    if wanted:
        found, word, back = "one broker", back, word
    return (
        f"expected no topics in {home}, as `mela up {word}` was asked, but found those of {found} "
        f"in {data}, and Kafka cannot turn one kind into the other. Choose another MELA_HOME, or "
        f"go on with `mela up {back}`. Or `mela down`, remove {home / 'kafka'} and "
        f"{home / 'spark' / 'checkpoints'}, and start again: candles, scenes and results stay, "
        "messages that nobody has read yet are lost"
    )


def standing(missing: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return what services lack, but call those well that the rest of their group stands in for.

    The rest of the stack goes on while one broker or worker is away.

    >>> standing({"kafka": None, "kafka-2": "it does not run", "kafka-3": None})["kafka-2"]
    >>> standing({"kafka": "it does not run"})["kafka"]
    'it does not run'
    """
    seen = dict(missing)
    for group in (BROKERS, WORKERS):
        away = [name for name in group if missing.get(name) is not None]
        if len(away) == 1 and all(name in missing for name in group):
            seen[away[0]] = None
    return seen
