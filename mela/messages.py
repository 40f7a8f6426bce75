"""Messages of the topics, other than scenes and results (docs/contract/messages.md)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mela.errors import MessageInvalid, Refused, RejectionCode, SceneInvalid, SourceUnavailable
from mela.fields import Instant, field_values, plain
from mela.grid import RunMaker, make_run
from mela.inputs import Input, SeriesChoice
from mela.instants import instant_text
from mela.portfolio import Portfolio
from mela.run import Catalogue, Run
from mela.run_terms import ACCOUNT, PARTS
from mela.scene import fault_sentence, field_path
from mela.variant_list import Variant, merged
from mela.variants import part_variant, strategy_variant

SCENES = "mela.scenes"
RUNS = "mela.runs"
RESULTS = "mela.results"
CHUNK_RESULTS = "mela.chunk_results"
PROGRESS = "mela.progress"
REJECTED = "mela.rejected"
KEPT_BYTES = 5 * 2**20  # of a refused message: as base64 they fit into a message of the broker's


class MessagePosition(NamedTuple):
    """Name the place in a topic where a message was read."""

    topic: str
    partition: int
    offset: int

    @property
    def key(self) -> str:
        """Return `topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    @property
    def scene_id(self) -> UUID:
        """Return the id of a scene that was sent without one. Every reading gives the same id."""
        return uuid5(NAMESPACE_URL, f"mela:{self.key}")


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(StrEnum):
    """The states of a scene. `finished` and `cancelled` are final."""

    REJECTED = "rejected"
    PLANNED = "planned"
    RECORDED = "recorded"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Progress(_Message):
    """The state of a scene. Readers keep the message with the highest `place`."""

    schema_version: Literal[1] = 1
    scene_id: UUID
    state: State
    at: Instant
    runs: int | None = None
    skipped: int | None = None
    cached: int | None = None
    recorded: int | None = None
    cancelled: int | None = Field(
        default=None, description="runs that were not executed, as the scene was cancelled"
    )
    batch: int | None = Field(
        default=None, description="of a search that learns: the batch of trials that was sent now"
    )
    batches: int | None = Field(default=None, description="how many batches it has, at most")
    best: tuple[dict[str, Any], ...] = Field(default=(), description="overall, by instrument")
    mlflow_run_id: str | None = None
    warnings: tuple[dict[str, str], ...] = ()
    report: dict[str, Any] | None = Field(
        default=None, description="what a search has proved, docs/search.md; long lists left out"
    )
    training: dict[str, Any] | None = Field(default=None, description="of a training that ended")
    code: RejectionCode | None = None
    field: str | None = None
    sentence: str | None = None

    @property
    def place(self) -> tuple[int, int, int]:
        """Return the key that orders the messages of one scene."""
        order = [State.REJECTED, State.PLANNED, State.RECORDED, State.FINISHED, State.CANCELLED]
        return order.index(self.state), self.recorded or 0, self.batch or 0

    def to_bytes(self) -> bytes:
        """Return the message as Kafka carries it."""
        return self.model_dump_json(exclude_none=True).encode()


class Rejection(_Message):
    """A refused message, kept whole, so that nothing that was sent is lost.

    A message above KEPT_BYTES, whose letter no broker would take, keeps its first bytes only.
    """

    schema_version: Literal[1] = 1
    original: str = Field(description="the bytes as they came, base64; the first of them if is_cut")
    size: int | None = Field(
        default=None, description="how many bytes the message had; null: it had no value at all"
    )
    is_cut: bool = Field(default=False, description="the message is longer than what is kept of it")
    topic: str
    partition: int
    offset: int
    code: RejectionCode
    field: str | None
    sentence: str
    code_version: str
    rejected_at: Instant

    @property
    def key(self) -> str:
        """Return the message key: `topic:partition:offset`."""
        return MessagePosition(self.topic, self.partition, self.offset).key

    def to_bytes(self) -> bytes:
        """Return the message as Kafka carries it."""
        return self.model_dump_json().encode()


def rejection(
    original: bytes | None,
    source: MessagePosition,
    refused: Refused,
    *,
    code_version: str,
    at: datetime,
) -> Rejection:
    """Return the dead letter of a refused message."""
    kept = (original or b"")[:KEPT_BYTES]
    return Rejection(
        original=base64.b64encode(kept).decode(),
        size=None if original is None else len(original),
        is_cut=len(kept) < len(original or b""),
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        code=refused.code,
        field=refused.field,
        sentence=refused.sentence,
        code_version=code_version,
        rejected_at=at,
    )


class _ChunkShape(_Message):
    schema_version: Literal[1]
    scene_id: UUID
    chunk: int = Field(ge=0)
    digests: dict[str, str] = Field(default_factory=dict)
    common: dict[str, Any]
    runs: tuple[dict[str, Any], ...] = Field(min_length=1)


class RunChunk(NamedTuple):
    """Some runs of one scene that read one candle series.

    digests: the digests of their strategies when the runs were planned
    unfit: by run_key, why a run cannot be executed: its strategy was edited after planning and
        no longer takes its parameters. The reader of a chunk adds it; the message lacks it.
    """

    scene_id: str
    chunk: int
    runs: Sequence[Run]
    digests: Mapping[str, str] = MappingProxyType({})
    unfit: Mapping[str, str] = MappingProxyType({})

    @property
    def key(self) -> str:
        """Return the message key: `scene_id:chunk`."""
        return f"{self.scene_id}:{self.chunk}"

    def to_bytes(self) -> bytes:
        """Return the message. It states once what all runs share, and the rest for each run."""
        first = self.runs[0]
        own = _SPELLED | (_READ if any(run.inputs for run in self.runs) else {})
        spelled = own | (_SHARED if first.portfolio else {})
        varied = [name for name in own if any(_differs(run, first, name) for run in self.runs)]
        return orjson.dumps(
            {
                "schema_version": 1,
                "scene_id": self.scene_id,
                "chunk": self.chunk,
                "digests": dict(self.digests),
                "common": {
                    name: spell(getattr(first, name))
                    for name, spell in spelled.items()
                    if name not in varied
                },
                "runs": [
                    {
                        "run_key": run.run_key,
                        **{name: own[name](getattr(run, name)) for name in varied},
                    }
                    for run in self.runs
                ],
            }
        )


def read_chunk(raw: bytes | None, catalogue: Catalogue) -> RunChunk:
    """Return the runs of a message of `mela.runs`. Validate each run and check its run_key.

    Raises MessageInvalid with code, field and sentence.
    """
    try:
        shape = _ChunkShape.model_validate_json(raw or b"")
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        code = (
            RejectionCode.NOT_JSON
            if fault["type"] == "json_invalid"
            else RejectionCode.INVALID_FIELD
        )
        raise MessageInvalid(code, field_path(fault), fault_sentence(fault)) from error
    unfit: dict[str, str] = {}
    runs = tuple(_read_runs(shape, catalogue, unfit))
    return RunChunk(str(shape.scene_id), shape.chunk, runs, shape.digests, unfit)


def _read_runs(shape: _ChunkShape, catalogue: Catalogue, unfit: dict[str, str]) -> Iterator[Run]:
    varied = {name for document in shape.runs for name in document}
    again = [group for group, members in _GROUPS.items() if not varied.isdisjoint(members)]
    shares_account = varied.isdisjoint(("instrument", "others", "portfolio"))
    fixed, maker = None, None
    for position, document in enumerate(shape.runs):
        fields = {**shape.common, **document}
        try:
            if fixed is None:
                once = [group for group in _GROUPS if group not in again]
                fixed = merged(_variant(group, fields, catalogue) for group in once)
            if maker is None or not shares_account:
                maker = RunMaker(fixed, fields["instrument"], *_account(fields))
            run = maker.run(*[_variant(group, fields, catalogue) for group in again])
            _check_key(run, fields, position)
        except SourceUnavailable:  # a model that a run names cannot be had now
            raise
        except Exception as error:  # it is of the message or a strategy
            refused = _as_refusal(error, position)
            is_edited = _is_edited(fields, shape.digests, catalogue)
            is_broken = (
                isinstance(error, SceneInvalid) and error.code is RejectionCode.UNKNOWN_STRATEGY
            )
            if not is_edited and not is_broken:
                raise refused from error
            run = _run_as_sent(fields, refused)
            unfit[run.run_key] = (
                f"the strategy {run.strategy} was edited after this run was planned, and no longer "
                "takes its parameters. Publish the scene again under a new id."
                if is_edited
                else f"{error}"
            )
        yield run


def _check_key(run: Run, fields: Mapping[str, Any], position: int) -> None:
    if run.run_key != fields.get("run_key"):
        raise MessageInvalid(
            RejectionCode.INVALID_FIELD,
            f"runs.{position}.run_key",
            f"expected {run.run_key}, the hash of this run's fields, "
            f"but found {fields.get('run_key')!r}.",
        )


def _as_refusal(error: Exception, position: int) -> MessageInvalid:
    if isinstance(error, MessageInvalid):
        return error
    sentence = f"expected a valid run, but found: {error}"
    return MessageInvalid(RejectionCode.INVALID_FIELD, f"runs.{position}", sentence)


def _is_edited(fields: Mapping[str, Any], digests: Mapping[str, str], catalogue: Catalogue) -> bool:
    """Tell whether a run's strategy has changed since the run was planned."""
    name = fields.get("strategy")
    planned = digests.get(str(name))
    if planned is None:
        return False
    return name not in catalogue or catalogue[str(name)].digest != planned


def _run_as_sent(fields: Mapping[str, Any], refused: MessageInvalid) -> Run:
    """Return a run without asking its strategy. Raise `refused` if anything else is wrong too."""
    try:
        parts = [_variant(group, fields, {}) for group in _GROUPS if group != "strategy"]
        strategy_fields = {
            "strategy": fields["strategy"],
            "params": dict(fields["params"]),
            "warmup": 0,
        }
        if inputs := fields.get("inputs"):
            strategy_fields["inputs"] = {
                name: Input.model_validate(one) for name, one in inputs.items()
            }
        run = make_run(
            fields["instrument"], (Variant(strategy_fields, {}), *parts), *_account(fields)
        )
        return replace(run, run_key=str(fields["run_key"]))
    except Exception as error:
        raise refused from error


def _account(fields: Mapping[str, Any]) -> tuple[Sequence[str], Portfolio | None]:
    return fields.get("others", ()), _portfolio(fields)


def read_stored_run(document: Mapping[str, Any], catalogue: Catalogue) -> Run:
    """Return the run that a result document answers. Raise ValidationError or KeyError."""
    fields = {**document, "strategy": document["strategy"]["name"]}
    choice = [_variant(name, fields, catalogue) for name in _GROUPS]
    instrument, *others = document["instruments"]
    return make_run(instrument, choice, others, _portfolio(document))


_GROUPS: dict[str, tuple[str, ...]] = {
    "span": ("interval", "start", "end"),
    "strategy": ("strategy", "params", "inputs"),
    **{name: (name,) for name in PARTS},
    "account": ACCOUNT,
}


_SPELLED: dict[str, Callable[[Any], Any]] = {
    "instrument": str,
    "interval": str,
    "start": instant_text,
    "end": instant_text,
    "strategy": str,
    "params": dict,
    **dict.fromkeys(PARTS, partial(field_values, mode="json")),
    **dict.fromkeys(ACCOUNT, plain),
}

# only for runs whose strategy reads further series
_READ: dict[str, Callable[[Any], Any]] = {
    "inputs": lambda inputs: {name: one.model_dump(mode="json") for name, one in inputs.items()}
}

# only for scenes whose instruments share an account
_SHARED: dict[str, Callable[[Any], Any]] = {
    "others": list,
    "portfolio": lambda portfolio: portfolio.model_dump(mode="json"),
}


def _portfolio(fields: Mapping[str, Any]) -> Portfolio | None:
    portfolio = fields.get("portfolio")
    return None if portfolio is None else Portfolio.model_validate(portfolio)


def _variant(group: str, fields: Mapping[str, Any], catalogue: Catalogue) -> Variant:
    if group == "strategy":
        return strategy_variant(
            catalogue[fields["strategy"]], fields["params"], _choices(fields.get("inputs"))
        )
    if group in PARTS:
        return part_variant(group, fields[group])
    # what an older release sent lacks newer terms
    return part_variant(group, {name: fields[name] for name in _GROUPS[group] if name in fields})


def _choices(inputs: Any) -> Mapping[str, SeriesChoice]:
    """Return the series of a run's inputs in the form in which a scene chooses them."""
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping):
        raise TypeError(f"expected inputs by name, but found {inputs!r:.100}")
    fields = tuple(SeriesChoice.model_fields)
    return {
        name: SeriesChoice.model_validate({field: one[field] for field in fields})
        for name, one in inputs.items()
    }


def _differs(run: Run, first: Run, name: str) -> bool:
    mine, other = getattr(run, name), getattr(first, name)
    return mine is not other and mine != other
