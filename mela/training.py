"""The training file: which model is trained on what, and how it is judged, validated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from mela.canonical import canonical_json, digest
from mela.errors import RejectionCode, SceneInvalid
from mela.execution_terms import Costs, Prices
from mela.fields import Instant, Part, Real, Whole, one_of
from mela.instants import instant_text
from mela.instrument import parse_name
from mela.interval import Interval
from mela.params import Json
from mela.scene import SCHEMA_VERSION, fault_sentence, field_path
from mela.windows import Length

KIND = "train"  # of a document that asks for a training, where other scenes have no kind
NAME = r"^[a-z][a-z0-9_]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]


class FeatureChoice(Part):
    """A registered feature by name, with those parameters that differ from its defaults."""

    name: str = Field(examples=["returns"], description="one of those in forecasts/features")
    params: dict[str, Json] = Field(
        default_factory=dict,
        examples=[{"span": 24}],
        description="its parameters by name; what is left out is at the feature's default",
    )


class ForwardReturn(Part):
    """The return of a candle's decision: in at the next open, out `horizon` opens later."""

    kind: Literal["forward_return"] = "forward_return"
    horizon: Whole = Field(default=24, ge=1, le=100_000, description="candles held")


class ForwardSign(Part):
    """1 where that return, net of costs, is above 0, else 0: a class."""

    kind: Literal["forward_sign"] = "forward_sign"
    horizon: Whole = Field(default=24, ge=1, le=100_000, description="candles held")


class VolatilityScaled(Part):
    """The same return in units of the volatility that was known at the decision."""

    kind: Literal["volatility_scaled"] = "volatility_scaled"
    horizon: Whole = Field(default=24, ge=1, le=100_000, description="candles held")
    window: Whole = Field(default=48, ge=2, le=4096, description="returns in the volatility")


class TripleBarrier(Part):
    """1, -1 or 0: which barrier the price meets first, the upper, the lower, or that of time.

    Source: López de Prado, "Advances in Financial Machine Learning" (2018), section 3.4.
    """

    kind: Literal["triple_barrier"] = "triple_barrier"
    horizon: Whole = Field(default=24, ge=1, le=100_000, description="candles until time is up")
    upper: Real = Field(default=2.0, gt=0, le=1_000, description="volatilities up; of one candle")
    lower: Real = Field(default=2.0, gt=0, le=1_000, description="volatilities down")
    window: Whole = Field(default=48, ge=2, le=4096, description="returns in the volatility")


class PurgedWalkForward(Part):
    """Train on a window, test on the one after it, and go on; no label spans both."""

    kind: Literal["walk_forward"] = "walk_forward"
    folds: Whole = Field(default=5, ge=1, le=1_000, description="test windows of equal time")
    train: Length | None = Field(
        default=None, description="length of each training window; null: from the start on"
    )
    embargo: Length = Field(default="0d", description="left out between training and test")


class CombinatorialPurged(Part):
    """Every choice of `test_groups` of `groups` spans tests a model trained on the others.

    Source: López de Prado, "Advances in Financial Machine Learning" (2018), chapter 12.
    """

    kind: Literal["combinatorial"] = "combinatorial"
    groups: Whole = Field(default=6, ge=3, le=30, description="spans of equal time")
    test_groups: Whole = Field(default=2, ge=1, le=10, description="of them that test")
    embargo: Length = Field(default="0d", description="left out of training behind each test span")

    @field_validator("test_groups")
    @classmethod
    def _leaves_some_to_train(cls, count: int, info: ValidationInfo) -> int:
        groups = info.data.get("groups")
        if groups is not None and count > groups - 1:
            raise ValueError(
                f"expected fewer test_groups than the {groups} groups, but found {count}"
            )
        return count


class ModelChoice(Part):
    """A registered kind of model, and those of its parameters that differ from its defaults."""

    name: str = Field(examples=["ridge"], description="one of those in forecasts/models")
    params: dict[str, Json] = Field(default_factory=dict, description="its parameters by name")


class Preparation(Part):
    """The steps that are fitted on each split's training part before the model, in this order."""

    clip: Real | None = Field(
        default=5.0, gt=0, description="deviations at which a standardised feature is cut off"
    )
    select: Whole | None = Field(
        default=None, ge=1, description="keep so many features, those of the highest rank IC"
    )
    instrument: Literal["none", "one_hot", "target"] = Field(
        default="none", description="how a sample's instrument becomes features"
    )


if TYPE_CHECKING:
    Label = ForwardReturn | ForwardSign | VolatilityScaled | TripleBarrier
    Splits = PurgedWalkForward | CombinatorialPurged
else:
    Label = one_of(ForwardReturn, ForwardSign, VolatilityScaled, TripleBarrier)
    Splits = one_of(PurgedWalkForward, CombinatorialPurged)


def _are_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        parse_name(name)
    return tuple(dict.fromkeys(names))


class Training(Part):
    """Train one model on some instruments over [start, end), and judge it."""

    schema_version: Literal[1] = Field(default=1, description="of this schema")
    kind: Literal["train"] = Field(default="train", description="what is asked for")
    scene_id: UUID | None = Field(
        default=None, description="one publication; minted where it is missing"
    )
    name: Name = Field(examples=["first"], description="of the registered model")
    instruments: Annotated[tuple[str, ...], AfterValidator(_are_names)] = Field(
        min_length=1, max_length=1_000, description="each as venue:symbol; all in one model"
    )
    interval: Interval = Field(description="length of a candle")
    start: Instant = Field(description="the first candle opens here or later")
    end: Instant = Field(description="no candle that opens here or later is read, by no label")
    prices: Prices = Field(default="split_adjusted", description="as in a scene")
    features: tuple[FeatureChoice, ...] = Field(min_length=1, max_length=1_000)
    label: Label = Field(default=ForwardReturn())
    splits: Splits = Field(default=PurgedWalkForward())
    preparation: Preparation = Field(default=Preparation())
    model: ModelChoice
    costs: Costs = Field(default=Costs(), description="of each fill, as in a scene")
    seeds: tuple[Whole, ...] = Field(
        default=(1,), min_length=1, max_length=1_000, description="one training of all folds each"
    )

    @field_validator("end")
    @classmethod
    def _is_after_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start: datetime | None = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(
                f"a training ends after its start {instant_text(start)}, "
                f"but this one ends {instant_text(end)}"
            )
        return end

    @field_validator("seeds")
    @classmethod
    def _are_distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("expected each seed once, but found one again; leave it out")
        return seeds

    @property
    def facts(self) -> dict[str, Any]:
        """Return the training as JSON values, whichever publication asked for it."""
        return self.model_dump(mode="json", exclude={"scene_id"})

    def training_hash(self) -> str:
        """Return what tells two trainings apart, whatever they are called."""
        content = self.model_dump(mode="json", exclude={"name", "schema_version", "scene_id"})
        return digest(canonical_json(content))

    def content(self) -> dict[str, Any]:
        """Return what a publication asks for: JSON values without its id, defaults left out."""
        content = self.model_dump(mode="json", exclude={"scene_id"}, exclude_defaults=True)
        for name in ("label", "splits"):  # what has alternatives says which it is
            if name in content:
                content[name] = {"kind": getattr(self, name).kind, **content[name]}
        return {"kind": KIND, **content}

    def content_hash(self) -> str:
        """Return the hash that tells whether two publications of one id are the same."""
        return digest(canonical_json(self.content()))


def is_training(document: Any) -> bool:
    """Tell whether a document asks for a training, right or wrong."""
    return isinstance(document, Mapping) and document.get("kind") == KIND


def check_kind(document: Any) -> None:
    """Raise SceneInvalid for a kind that is neither a training's nor left out, as in a scene."""
    if isinstance(document, Mapping) and "kind" in document and not is_training(document):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            "kind",
            f"expected {KIND!r}, or no kind for a backtest, but found {document['kind']!r:.100}.",
        )


def parse_training(document: Any) -> Training:
    """Return a validated training. Raises SceneInvalid with the first fault."""
    if not isinstance(document, Mapping):
        raise SceneInvalid(
            RejectionCode.INVALID_FIELD,
            None,
            f"expected an object with a training's fields, but found {type(document).__name__}",
        )
    version = document.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise SceneInvalid(
            RejectionCode.UNSUPPORTED_VERSION,
            "schema_version",
            f"this release reads schema_version {SCHEMA_VERSION}, but found {version!r}. "
            "Write the training in that version, or upgrade Mela.",
        )
    try:
        return Training.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        path = field_path(fault)
        if fault["type"] == "extra_forbidden":  # what scenes have is not what a training has
            sentence = f"no such field; a training has {', '.join(Training.model_fields)}."
            raise SceneInvalid(RejectionCode.INVALID_FIELD, path, sentence) from error
        raise SceneInvalid(RejectionCode.INVALID_FIELD, path, fault_sentence(fault)) from error
