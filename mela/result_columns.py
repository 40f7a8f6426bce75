"""The results of several runs of one scene as columns: built once, sent, stored and rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from mela.block_returns import BlockReturns
from mela.metrics import METRICS, WHOLE
from mela.outcome import Outcome, Provenance
from mela.result import OWN, result_document, result_key
from mela.run import Run

# a portfolio and inputs by name have no hash: what they are made of has
_OWN_OF_RUN = {"run_key", "params", "warmup", "portfolio", "inputs"}
_OWN_OF_OUTCOME = {"run", "metrics", "blocks", "curve"}
_of_run = attrgetter(*(one.name for one in fields(Run) if one.name not in _OWN_OF_RUN))
_of_outcome = attrgetter(*(one.name for one in fields(Outcome) if one.name not in _OWN_OF_OUTCOME))
_IS_WHOLE = np.array([name in WHOLE for name in METRICS])
REAL_METRICS = tuple(name for name in METRICS if name not in WHOLE)
WHOLE_METRICS = tuple(name for name in METRICS if name in WHOLE)
_SPELLED = REAL_METRICS + WHOLE_METRICS
_NO_METRICS = (np.nan,) * len(METRICS)
_KEY_BYTES = 32


class RenderedResult(NamedTuple):
    """A result document as JSON, and the run that it answers."""

    run_key: str
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ResultColumns:
    """The results of n runs of one scene, a column for each field that is a run's own.

    shared: what several results share: documents without the fields of `OWN`
    groups: (n,) int32, the place in `shared` of each result's other fields
    run_keys, result_keys: (n, 32) uint8, SHA-256
    params: n JSON objects
    metrics: (n, len(METRICS)) float64 in the order of METRICS; NaN where a metric is undefined
    blocks: n times the cells of `BlockReturns`, or None
    """

    scene_id: str
    shared: Sequence[Mapping[str, Any]]
    groups: NDArray[np.int32]
    run_keys: NDArray[np.uint8]
    result_keys: NDArray[np.uint8]
    params: Sequence[bytes]
    metrics: NDArray[np.float64]
    blocks: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.params)

    def part(self, start: int, stop: int) -> ResultColumns:
        """Return the results from one place to another, the last not included."""
        rows = slice(start, stop)
        return ResultColumns(
            self.scene_id,
            self.shared,
            self.groups[rows],
            self.run_keys[rows],
            self.result_keys[rows],
            self.params[rows],
            self.metrics[rows],
            self.blocks[rows],
        )

    def documents(self) -> Iterator[RenderedResult]:
        """Yield each result as the JSON document that `mela.result.result_document` describes."""
        # what results share is spelled once, and each result's own fields come behind it
        heads = [orjson.dumps(document)[:-1] + b"," for document in self.shared]
        run_keys, result_keys = _hexadecimal(self.run_keys), _hexadecimal(self.result_keys)
        real = self.metrics[:, ~_IS_WHOLE].tolist()  # orjson writes NaN as null
        whole = _whole_numbers(self.metrics[:, _IS_WHOLE])
        rows = zip(
            self.groups.tolist(),
            run_keys,
            result_keys,
            self.params,
            real,
            whole,
            self.blocks,
            strict=True,
        )
        for group, run_key, key, params, reals, wholes, blocks in rows:
            own: dict[str, Any] = {
                "run_key": run_key,
                "result_key": key,
                "params": orjson.Fragment(params),
            }
            own.update(zip(_SPELLED, reals + wholes, strict=True))
            own["blocks"] = None if blocks is None else BlockReturns(blocks).packed()
            yield RenderedResult(run_key, heads[group] + orjson.dumps(own)[1:])


def question_of(run: Run) -> tuple[Any, ...]:
    """Return what a run shares with others of its scene: all but its own key and parameters."""
    portfolio = None if run.portfolio is None else run.portfolio.canonical()
    inputs = frozenset(run.inputs.items()) if run.inputs else None
    return (*_of_run(run), portfolio, inputs)


class ResultRows:
    """Collects the outcomes of runs of one scene until they are taken as columns."""

    def __init__(self, scene_id: str) -> None:
        self._scene_id = scene_id
        self._places: dict[tuple[Any, ...], int] = {}
        self._begin()

    def _begin(self) -> None:
        self._places.clear()
        self._last: tuple[tuple[Any, ...], int] = ((), 0)
        self._shared: list[Mapping[str, Any]] = []
        self._rows: list[tuple[int, str, str, bytes, Sequence[float], bytes | None]] = []
        self.param_bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, outcome: Outcome, made_with: Provenance, computed_at: datetime) -> None:
        """Add the outcome of one run."""
        run = outcome.run
        key = (*question_of(run), *_of_outcome(outcome), made_with, computed_at)
        # mostly the last one's, and comparing the same objects is quicker than hashing them
        place = self._last[1] if key == self._last[0] else self._places.get(key)
        if place is None:
            document = result_document(
                outcome, made_with, scene_id=self._scene_id, computed_at=computed_at
            )
            place = self._places[key] = len(self._shared)
            self._shared.append(_without_own(document))
        self._last = key, place
        params = orjson.dumps(dict(run.params))
        self.param_bytes += len(params)
        self._rows.append(
            (
                place,
                run.run_key,
                result_key(run.run_key, outcome.status, made_with, self._scene_id),
                params,
                outcome.metrics or _NO_METRICS,
                outcome.blocks.cells if outcome.blocks else None,
            )
        )

    def taken(self) -> ResultColumns:
        """Return what was added, at least one outcome, and begin anew."""
        columns = _columns(self._scene_id, self._shared, self._rows)
        self._begin()
        return columns


def columns_of(documents: Iterable[Mapping[str, Any]]) -> list[ResultColumns]:
    """Return result documents as columns, one for each scene, in the order of the documents.

    documents: as `mela.result.Result` accepts them, with a scene_id and a result_key
    """
    scenes: dict[str, tuple[dict[bytes, int], list[Mapping[str, Any]], list[Any]]] = {}
    for document in documents:
        places, shared, rows = scenes.setdefault(document["scene_id"], ({}, [], []))
        other = _without_own(document)
        place = places.setdefault(orjson.dumps(other), len(shared))
        if place == len(shared):
            shared.append(other)
        blocks = document.get("blocks")
        rows.append(
            (
                place,
                document["run_key"],
                document["result_key"],
                orjson.dumps(document["params"]),
                [np.nan if (one := document.get(name)) is None else one for name in METRICS],
                BlockReturns.unpacked(blocks).cells if blocks else None,
            )
        )
    return [_columns(scene_id, shared, rows) for scene_id, (_, shared, rows) in scenes.items()]


def _columns(
    scene_id: str,
    shared: Sequence[Mapping[str, Any]],
    rows: Sequence[tuple[int, str, str, bytes, Sequence[float], bytes | None]],
) -> ResultColumns:
    groups, run_keys, result_keys, params, metrics, blocks = zip(*rows, strict=True)
    numbers = np.array(metrics, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return ResultColumns(
        scene_id,
        tuple(shared),
        np.array(groups, dtype=np.int32),
        _from_hexadecimal(run_keys),
        _from_hexadecimal(result_keys),
        params,
        numbers,
        blocks,
    )


def _without_own(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in OWN}


def _hexadecimal(keys: NDArray[np.uint8]) -> list[str]:
    text = keys.tobytes().hex()
    width = 2 * _KEY_BYTES
    return [text[start : start + width] for start in range(0, len(text), width)]


def _from_hexadecimal(keys: Sequence[str]) -> NDArray[np.uint8]:
    raw = bytes.fromhex("".join(keys))
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(keys), _KEY_BYTES)


def _whole_numbers(values: NDArray[np.float64]) -> list[list[int | None]]:
    missing = np.isnan(values)
    if not missing.any():
        return values.astype(np.int64).tolist()
    return [[None if one != one else int(one) for one in row] for row in values.tolist()]
