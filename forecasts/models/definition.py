"""The definition of a kind of model, and the decorator that registers one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from forecasts.models.forms import Form
from mela.errors import RejectionCode, SceneInvalid
from mela.name_suggestions import did_you_mean
from mela.scene import fault_sentence, field_path
from mela.training import ModelChoice

Float = NDArray[np.float64]
THREADS = 1  # cores are shared; more is asked for by whoever has them


@dataclass(frozen=True, slots=True)
class Samples:
    """The data that a model is fitted on: the training part, as `Prepared.apply` gives it.

    x: (m, p) float64; y: (m,) float64; for a class 1.0 for the upper one and 0.0 for the others
    """

    x: Float
    y: Float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model. form: what it is exported from; predict: the library's own answer, (m,)."""

    form: Form
    predict: Callable[[Float], Float]


Fit = Callable[[Samples, Any, int, bool], Fitted]


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A registered kind of model.

    name: what training files call it; doc: one sentence
    params: the pydantic model of its parameters
    fit: (samples, validated params, seed, whether y is a class) → fitted; the same for the same
    numbers, classes: what it learns
    seeded: whether another seed gives another model
    """

    name: str
    doc: str
    params: type[BaseModel]
    fit: Fit
    numbers: bool
    classes: bool
    seeded: bool


MODELS: dict[str, ModelKind] = {}


def model(
    params: type[BaseModel], *, numbers: bool = True, classes: bool = True, seeded: bool = True
) -> Callable[[Fit], Fit]:
    """Register a function as a kind of model under its name, its docstring as the description."""

    def register(fit: Fit) -> Fit:
        name = fit.__name__
        if name in MODELS:
            raise ValueError(f"model {name} is registered already; give it another name")
        doc = (inspect.getdoc(fit) or "").partition("\n")[0]
        MODELS[name] = ModelKind(name, doc, params, fit, numbers, classes, seeded)
        return fit

    return register


def chosen(choice: ModelChoice, *, classes: bool) -> tuple[ModelKind, BaseModel]:
    """Return a kind of model and its validated parameters.

    Raises SceneInvalid for an unknown name, for one that cannot learn such a label, and for
    parameters that it refuses.
    """
    kind = MODELS.get(choice.name)
    if kind is None:
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "model.name",
            f"no model is called {choice.name!r}{did_you_mean(choice.name, MODELS)} "
            f"There are {', '.join(sorted(MODELS))}.",
        )
    if not (kind.classes if classes else kind.numbers):
        able = [one.name for one in MODELS.values() if (one.classes if classes else one.numbers)]
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "model.name",
            f"{kind.name} learns {'numbers' if classes else 'classes'}, but the label is a "
            f"{'class' if classes else 'number'}. Choose one of {', '.join(sorted(able))}, "
            "or another label.",
        )
    try:
        return kind, kind.params.model_validate(choice.params)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        path = field_path(fault, "model.params")
        raise SceneInvalid(RejectionCode.INVALID_FIELD, path, fault_sentence(fault)) from error
