"""The trials behind a winner, and how many of them are read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mela.block_returns import BlockReturns

Float = NDArray[np.float64]
Document = Mapping[str, Any]
MODELS = 500  # best runs that are compared with buy and hold; fewer where candles are many
FEWEST_MODELS = 50
MODEL_CANDLES = 50_000_000  # candles that those may take together


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """All known trials of the question that the winner answers.

    n_trials: runs recorded for the same instruments, overlapping dates and the same strategies: a
        lower bound on what was tried
    sums, squares: (known, 16) of the runs over the winner's own span, the winner among them
    counts: (known, 16) how many returns each block has
    own: (known,) whether this scene asked for it
    top: this scene's best runs of the winner's instrument and span, best first
    """

    n_trials: int
    sums: Float
    squares: Float
    counts: Float
    own: NDArray[np.bool_]
    top: Sequence[Document]


def trials_of(documents: Sequence[Document], winner: Document, top: Sequence[Document]) -> Trials:
    """Return the trials that some results are, all of one scene."""
    span = ("interval", "start", "end")
    same = [
        BlockReturns.unpacked(one["blocks"]).rows
        for one in documents
        if one["blocks"] is not None and all(one[name] == winner[name] for name in span)
    ]
    rows = np.array(same, dtype=np.float64).reshape(len(same), 3, -1)
    tried = sum(one["blocks"] is not None for one in documents)
    sums, squares, counts = rows.swapaxes(0, 1)
    return Trials(tried, sums, squares, counts, np.ones(len(same), dtype=np.bool_), top)


def with_winner(trials: Trials, winner: Document) -> Trials:
    """Return trials with the winner among them, where more were recorded than could be read."""
    if winner["blocks"] is None:
        return trials
    rows = BlockReturns.unpacked(winner["blocks"]).rows
    own = dict(zip(("sums", "squares", "counts"), rows, strict=True))
    if bool(np.any(np.all(trials.sums == own["sums"], axis=1))):
        return trials
    added = {name: np.vstack([getattr(trials, name), row]) for name, row in own.items()}
    return replace(trials, **added, own=np.append(trials.own, True))


def models_for(candles: int) -> int:
    """Return how many runs are compared with buy and hold on so many candles.

    >>> models_for(10_000), models_for(500_000), models_for(10_000_000)
    (500, 100, 50)
    """
    return max(FEWEST_MODELS, min(MODELS, MODEL_CANDLES // max(1, candles)))
