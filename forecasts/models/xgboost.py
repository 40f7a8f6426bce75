"""XGBoost: trees that are grown one after the other, each on what is left."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from forecasts.models.boosting import Boosting
from forecasts.models.definition import THREADS, Fitted, Float, Samples, model
from forecasts.models.forms import Link, Trees, joined


@model(Boosting)
def xgboost(samples: Samples, params: Boosting, seed: int, classes: bool) -> Fitted:
    """Gradient-boosted trees of XGBoost."""
    import xgboost as library  # a second to load

    settings = {
        "objective": "binary:logistic" if classes else "reg:squarederror",
        "tree_method": "hist",
        "max_depth": params.depth,
        "eta": params.rate,
        # by the second derivative, which a class has a quarter of at most
        "min_child_weight": params.leaf / 4 if classes else params.leaf,
        "colsample_bytree": params.features,
        "subsample": params.sample,
        "lambda": params.penalty,
        "seed": seed,
        "nthread": THREADS,
        "verbosity": 0,
    }
    given = library.DMatrix(samples.x.astype(np.float32), samples.y, nthread=THREADS)
    booster: Any = library.train(settings, given, num_boost_round=params.trees)

    def predict(x: Float) -> Float:
        narrow = library.DMatrix(x.astype(np.float32), nthread=THREADS)
        return np.asarray(booster.predict(narrow), np.float64)

    return Fitted(_form(json.loads(booster.save_raw("json")), classes), predict)


def _form(document: dict[str, Any], classes: bool) -> Trees:
    learner = document["learner"]
    told = str(learner["learner_model_param"]["base_score"]).strip("[]")
    base = float(told)
    base = math.log(base / (1.0 - base)) if classes else base
    trees = [_tree(one, classes) for one in learner["gradient_booster"]["model"]["trees"]]
    return joined(trees, base)


def _tree(tree: dict[str, Any], classes: bool) -> Trees:
    left = np.asarray(tree["left_children"], np.int64)
    conditions = np.asarray(tree["split_conditions"], np.float64)  # of a leaf: its value
    link: Link = "sigmoid" if classes else "identity"
    return Trees(
        feature=np.where(left < 0, -1, np.asarray(tree["split_indices"], np.int64)),
        threshold=conditions.astype(np.float32),
        left=left,
        right=np.asarray(tree["right_children"], np.int64),
        value=conditions,
        tree=np.zeros(len(left), np.int64),
        strict=True,
        base=0.0,
        link=link,
    )
