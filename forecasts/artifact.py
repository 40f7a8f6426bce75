"""A trained model as one file: its graph, and what a reader must know of it, under one hash.

The file is ONNX, whose metadata hold the facts. Its SHA-256 is the model's name everywhere: in a
result's key, in the registry, in the cache of predictions. Nothing in it is ever executed as code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecasts.features import FeatureSet
from mela.canonical import canonical_json
from mela.errors import InputInvalid
from mela.training import Training, parse_training

if TYPE_CHECKING:  # whoever asks a model needs nothing of what makes one
    from forecasts.models.forms import Form
    from forecasts.pipeline import Prepared

Float = NDArray[np.float64]
Int = NDArray[np.int64]
KEY = "mela"


@dataclass(frozen=True)
class Facts:
    """What a model carries.

    training: the training file that it was made from
    names, features_digest: of its columns, and of the source that computes them
    instruments: their places in the codes that the graph takes
    revisions: the revision of each instrument's candles; None for candles of a file
    seed: of the model that is kept
    trained_through_ms: when the last label that it learned was known
    label_span_ms: the longest span of a label; embargo_ms: as the training's splits have it
    """

    training: dict[str, Any]
    names: tuple[str, ...]
    features_digest: str
    instruments: tuple[str, ...]
    revisions: Mapping[str, int | None]
    seed: int
    trained_through_ms: int
    label_span_ms: int
    embargo_ms: int

    def document(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {**vars(self), "revisions": dict(self.revisions)}

    @property
    def unseen_from_ms(self) -> int:
        """Return from when on candles tell something of the model that it was not taught."""
        return self.trained_through_ms + self.label_span_ms + self.embargo_ms


def artifact(prepared: Prepared, form: Form, facts: Facts) -> bytes:
    """Return the file's bytes, the same for the same model."""
    from forecasts.onnx_graph import onnx_bytes

    told = canonical_json(facts.document()).decode()
    return onnx_bytes(prepared, form, len(facts.names), {KEY: told})


def sha_of(content: bytes) -> str:
    """Return the name of a model: SHA-256 of its file, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


class Model:
    """A model that is loaded: what it carries, and its forecasts. One thread, in this process.

    content: of the file; sha: what it has to hash to
    Raises InputInvalid for other content, for a file that is none of ours, and where the features
    are computed by other code by now.
    """

    def __init__(self, content: bytes, sha: str) -> None:
        import onnxruntime as runtime  # a tenth of a second to load, and only forecasts need it

        found = sha_of(content)
        if found != sha:
            raise InputInvalid(
                None,
                f"expected a model whose SHA-256 is {sha}, but the file's is {found}: it was "
                "changed after it was registered. Fetch it again, or train it anew.",
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = runtime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            told = self._session.get_modelmeta().custom_metadata_map[KEY]
            self.facts = facts_of(json.loads(told))
        except Exception as error:  # the runtime raises classes of its own, and any text may come
            raise InputInvalid(
                None,
                f"the file of model {sha[:12]} is no model of `mela model train`: {error}",
            ) from error
        self.sha = sha

    @cached_property
    def training(self) -> Training:
        """Return the training that it was made by."""
        return parse_training(self.facts.training)

    @cached_property
    def features(self) -> FeatureSet:
        """Return its features. Raises InputInvalid where other code computes them by now."""
        features = FeatureSet(self.training.features)
        if features.digest != self.facts.features_digest:
            raise InputInvalid(
                None,
                f"model {self.sha[:12]} was trained on features of other code (digest "
                f"{self.facts.features_digest[:12]}, and it is {features.digest[:12]} now), so "
                "that its forecasts would be of other numbers. Train it anew.",
            )
        return features

    def predict(self, x: Float, instrument: str) -> Float:
        """Return the forecast of each sample of an instrument, (m,) float64, NaN where x has one.

        x: (m, k) float64, the features in their order
        """
        known = self.facts.instruments
        place = known.index(instrument) if instrument in known else -1
        whole = ~np.isnan(x).any(axis=1)
        found = np.full(len(x), np.nan)
        if whole.any():
            given = np.ascontiguousarray(x[whole])
            found[whole] = self.ask(given, np.full(len(given), place, np.int64))
        return found

    def ask(self, x: Float, places: Int) -> Float:
        """Return what the graph gives: (m,) float64 of (m, k) without NaN and (m,) places."""
        return self._session.run(None, {"x": x, "instrument": places})[0]  # pyright: ignore[reportIndexIssue, reportReturnType]


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Return what `Facts.document` told."""
    given: dict[str, Any] = dict(document)
    for name in ("names", "instruments"):
        given[name] = tuple(given[name])
    return Facts(**given)
