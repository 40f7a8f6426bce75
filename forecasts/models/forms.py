"""The parts of a fitted model, whichever library fitted it: weights, or trees.

A form is what the ONNX graph is built from, so that no converter of a library stands between what
was judged and what is served. Trees read float32, as all three libraries of trees compare by then:
a threshold that lies between two float32 values is rounded down, which decides the same for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Link = Literal["identity", "sigmoid"]
LEAF = -1


@dataclass(frozen=True, eq=False)
class Linear:
    """bias + x · weights, through the link. weights: (p,) float64."""

    weights: Float
    bias: float
    link: Link


@dataclass(frozen=True, eq=False)
class Trees:
    """base + the sum of one leaf of each tree, through the link.

    feature: (n,) column that a node compares, LEAF for a leaf; left, right: (n,) nodes that follow
    threshold: (n,) float32; a sample goes left where it is below, or at it too unless `strict`
    value: (n,) float64, of leaves; tree: (n,) which tree a node is of, from 0 on, each one's nodes
        together and its root first
    """

    feature: Int
    threshold: NDArray[np.float32]
    left: Int
    right: Int
    value: Float
    tree: Int
    strict: bool
    base: float
    link: Link


Form = Linear | Trees


def rounded_down(thresholds: Float) -> NDArray[np.float32]:
    """Return the greatest float32 values that are not above, (n,).

    >>> rounded_down(np.array([0.1])) <= 0.1
    array([ True])
    """
    near = thresholds.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > thresholds, below, near).astype(np.float32)


def joined(trees: list[Trees], base: float) -> Trees:
    """Return one form of several trees, the nodes of each numbered from 0 on."""
    first = trees[0]
    sizes = [len(one.feature) for one in trees]

    def all_of(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(one, name) for one in trees])

    return Trees(
        feature=all_of("feature").astype(np.int64),
        threshold=all_of("threshold").astype(np.float32),
        left=all_of("left").astype(np.int64),
        right=all_of("right").astype(np.int64),
        value=all_of("value").astype(np.float64),
        tree=np.repeat(np.arange(len(trees)), sizes),
        strict=first.strict,
        base=base,
        link=first.link,
    )
