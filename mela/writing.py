"""Write result documents as JSON, building only once what the runs of a grid share."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson

from mela.outcome import Outcome, Provenance
from mela.result import OWN, own_fields, result_document
from mela.run import Run

# a portfolio and inputs by name have no hash: what they are made of has
_OWN_OF_RUN = {"run_key", "params", "warmup", "portfolio", "inputs"}
_OWN_OF_OUTCOME = {"run", "metrics", "blocks", "curve"}
_of_run = attrgetter(*(one.name for one in fields(Run) if one.name not in _OWN_OF_RUN))
_of_outcome = attrgetter(*(one.name for one in fields(Outcome) if one.name not in _OWN_OF_OUTCOME))


class ResultWriter:
    """Writes the results of one scene, each as the document that `result_document` makes."""

    def __init__(self, scene_id: str) -> None:
        self._scene_id = scene_id
        self._shared: dict[tuple[Any, ...], dict[str, Any]] = {}

    def json(self, outcome: Outcome, made_with: Provenance, computed_at: datetime) -> bytes:
        """Return a result as JSON."""
        run = outcome.run
        portfolio = None if run.portfolio is None else run.portfolio.canonical()
        inputs = frozenset(run.inputs.items()) if run.inputs else None
        key = (*_of_run(run), portfolio, inputs, *_of_outcome(outcome), made_with, computed_at)
        shared = self._shared.get(key)
        if shared is None:
            document = result_document(
                outcome, made_with, scene_id=self._scene_id, computed_at=computed_at
            )
            shared = {name: value for name, value in document.items() if name not in OWN}
            self._shared[key] = {
                name: orjson.Fragment(orjson.dumps(value)) if isinstance(value, dict) else value
                for name, value in shared.items()
            }
        return orjson.dumps({**shared, **own_fields(outcome, made_with, self._scene_id)})
