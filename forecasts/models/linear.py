"""Linear models: what every other model has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from forecasts.models.definition import Fitted, Float, Samples, model
from forecasts.models.forms import Linear
from mela.fields import Part, Real


class Penalty(Part):
    """The shrinkage of the weights."""

    penalty: Real = Field(
        default=0.01, gt=0, le=1e6, description="of a sample: the squared weights times this"
    )


@model(Penalty, classes=False, seeded=False)
def ridge(samples: Samples, params: Penalty, _seed: int, _classes: bool) -> Fitted:
    """Least squares with squared weights penalised."""
    from sklearn.linear_model import Ridge  # a second to load

    learner: Any = Ridge(alpha=params.penalty * len(samples.y), solver="cholesky")
    learner.fit(samples.x, samples.y)
    weights = np.asarray(learner.coef_, np.float64).ravel()
    return Fitted(Linear(weights, float(learner.intercept_), "identity"), learner.predict)


@model(Penalty, numbers=False, seeded=False)
def logistic(samples: Samples, params: Penalty, _seed: int, _classes: bool) -> Fitted:
    """Logistic regression with squared weights penalised."""
    from sklearn.linear_model import LogisticRegression

    learner: Any = LogisticRegression(C=1.0 / (params.penalty * len(samples.y)), max_iter=1_000)
    learner.fit(samples.x, samples.y)

    def probability(x: Float) -> Float:
        return learner.predict_proba(x)[:, 1]

    weights = np.asarray(learner.coef_, np.float64).ravel()
    return Fitted(Linear(weights, float(learner.intercept_[0]), "sigmoid"), probability)
