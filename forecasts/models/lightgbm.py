"""LightGBM: boosted trees that grow where the loss falls most."""

from __future__ import annotations

from typing import Any

import numpy as np

from forecasts.models.boosting import Boosting
from forecasts.models.definition import THREADS, Fitted, Float, Samples, model
from forecasts.models.forms import LEAF, Link, Trees, joined, rounded_down
from mela.errors import StackFailed


@model(Boosting)
def lightgbm(samples: Samples, params: Boosting, seed: int, classes: bool) -> Fitted:
    """Gradient-boosted trees of LightGBM."""
    library = _library()
    settings = {
        "objective": "binary" if classes else "regression",
        "max_depth": params.depth,
        "num_leaves": 2 ** min(params.depth, 10),
        "learning_rate": params.rate,
        "min_data_in_leaf": params.leaf,
        "feature_fraction": params.features,
        "bagging_fraction": params.sample,
        "bagging_freq": 1,
        "lambda_l2": params.penalty,
        "seed": seed,
        "num_threads": THREADS,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    narrow = samples.x.astype(np.float32)
    booster: Any = library.train(
        settings, library.Dataset(narrow, samples.y), num_boost_round=params.trees
    )

    def predict(x: Float) -> Float:
        given = x.astype(np.float32)
        return np.asarray(booster.predict(given, num_threads=THREADS), np.float64)

    infos = booster.dump_model()["tree_info"]
    return Fitted(joined([_tree(one["tree_structure"], classes) for one in infos], 0.0), predict)


def _library() -> Any:
    try:
        import lightgbm as library  # a second to load
    except OSError as error:  # it loads a library of the system's
        raise StackFailed(
            f"LightGBM needs the system's libgomp.so.1, and could not load it: {error}. Install "
            "it, as with `apt-get install libgomp1`."
        ) from error
    return library


def _tree(root: dict[str, Any], classes: bool) -> Trees:
    """Return the nodes of a nested document, a parent before its children."""
    nodes: list[tuple[int, float, int, int, float]] = []

    def add(node: dict[str, Any]) -> int:
        place = len(nodes)
        if "split_feature" not in node:
            nodes.append((LEAF, 0.0, LEAF, LEAF, float(node["leaf_value"])))
            return place
        nodes.append((LEAF, 0.0, LEAF, LEAF, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])
        nodes[place] = (int(node["split_feature"]), float(node["threshold"]), left, right, 0.0)
        return place

    add(root)
    feature, threshold, left, right, value = zip(*nodes, strict=True)
    link: Link = "sigmoid" if classes else "identity"
    return Trees(
        feature=np.asarray(feature, np.int64),
        threshold=rounded_down(np.asarray(threshold, np.float64)),
        left=np.asarray(left, np.int64),
        right=np.asarray(right, np.int64),
        value=np.asarray(value, np.float64),
        tree=np.zeros(len(nodes), np.int64),
        strict=False,
        base=0.0,
        link=link,
    )
