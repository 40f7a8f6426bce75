"""A random forest: trees on samples drawn with replacement, averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from forecasts.models.definition import THREADS, Fitted, Float, Samples, model
from forecasts.models.forms import Trees, joined, rounded_down
from mela.fields import Part, Real, Whole


class Forest(Part):
    """The number of trees, and their size."""

    trees: Whole = Field(default=100, ge=1, le=10_000, description="trees that are averaged")
    depth: Whole = Field(default=6, ge=1, le=32, description="comparisons from root to leaf")
    leaf: Whole = Field(default=50, ge=1, le=1_000_000, description="samples in a leaf, at least")
    features: Real = Field(default=0.5, gt=0, le=1, description="share tried at each comparison")
    sample: Real = Field(default=0.5, gt=0, le=1, description="share of samples drawn for a tree")


@model(Forest)
def random_forest(samples: Samples, params: Forest, seed: int, classes: bool) -> Fitted:
    """A random forest of scikit-learn."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # a second to load

    kind: Any = RandomForestClassifier if classes else RandomForestRegressor
    learner = kind(
        n_estimators=params.trees,
        max_depth=params.depth,
        min_samples_leaf=params.leaf,
        max_features=params.features,
        max_samples=params.sample,
        random_state=seed,
        n_jobs=THREADS,
    )
    learner.fit(samples.x.astype(np.float32), samples.y)

    def predict(x: Float) -> Float:
        narrow = x.astype(np.float32)
        return learner.predict_proba(narrow)[:, 1] if classes else learner.predict(narrow)

    trees = [_tree(one.tree_, classes, params.trees) for one in learner.estimators_]
    return Fitted(joined(trees, 0.0), predict)


def _tree(tree: Any, classes: bool, count: int) -> Trees:
    value = tree.value[:, 0, 1] if classes else tree.value[:, 0, 0]
    return Trees(
        feature=np.where(tree.children_left < 0, -1, tree.feature),
        threshold=rounded_down(np.asarray(tree.threshold, np.float64)),
        left=tree.children_left,
        right=tree.children_right,
        value=np.asarray(value, np.float64) / count,
        tree=np.zeros(len(value), np.int64),
        strict=False,
        base=0.0,
        link="identity",
    )
