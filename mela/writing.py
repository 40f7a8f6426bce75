"""Result documents as JSON, what the runs of a grid share spelled once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from mela.result import OWN, Outcome, Provenance, own_fields, result_document


class ResultWriter:
    """Writes results of one scene, each the document that `result_document` makes."""

    def __init__(self, scene_id: str) -> None:
        self._scene_id = scene_id
        self._spelled: dict[tuple[Any, ...], bytes] = {}
        self._kept: list[Outcome] = []  # so that no other object gets an id that is in a key

    def json(self, outcome: Outcome, made_with: Provenance, computed_at: datetime) -> bytes:
        """Return a result as JSON."""
        run = outcome.run
        key = (
            *(id(run.costs), id(run.sizing), id(run.entry), id(run.exits), id(run.portfolio)),
            *(run.instrument, run.others, run.interval, run.start, run.end, run.strategy),
            *(run.cash, run.direction, run.prices, run.engine, made_with, computed_at),
            *(outcome.status, outcome.error, outcome.candles, outcome.first_candle_ms),
            *(outcome.last_candle_ms, outcome.depends_from_ms, outcome.warmup_missing),
            *(outcome.periods_per_year, outcome.warnings),
        )
        shared = self._spelled.get(key)
        if shared is None:
            document = result_document(
                outcome, made_with, scene_id=self._scene_id, computed_at=computed_at
            )
            both = {name: value for name, value in document.items() if name not in OWN}
            shared = self._spelled[key] = orjson.dumps(both)[:-1]
            self._kept.append(outcome)
        own = orjson.dumps(own_fields(outcome, made_with, self._scene_id))
        return b"%s,%s" % (shared, own[1:])
