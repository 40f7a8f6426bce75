"""messaging/columns.py: results as one Arrow table, validated as a whole."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from pydantic import ValidationError

from mela.errors import MessageInvalid, RejectionCode
from mela.result import METRICS, OWN, Outcome, Result, Status
from mela.result_columns import ResultColumns
from messaging.columns import from_arrow, to_arrow
from tests.mela.test_result import NUMBERS, SCENE_ID
from tests.mela.test_result_columns import alone, columns, outcomes, rendered

FAILED = {"status": Status.FAILED, "metrics": None, "blocks": None, "error": ("KeyError", "why")}


def mixed() -> list[Outcome]:
    """Return outcomes with and without metrics, defined and undefined ones."""
    first, second, *rest = outcomes()
    undefined = NUMBERS._replace(sharpe=math.nan, omega=math.inf, sqn=5e-324)
    return [
        dataclasses.replace(first, **FAILED),
        dataclasses.replace(second, metrics=undefined),
        *rest,
    ]


def table() -> pa.Table:
    return pa.ipc.open_stream(to_arrow(columns(*mixed()))).read_all()


def raw(changed: pa.Table) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, changed.schema) as writer:
        writer.write_table(changed)
    return stream.getvalue().to_pybytes()


def with_column(name: str, values: Any) -> bytes:
    before = table()
    return raw(before.set_column(before.schema.names.index(name), name, values))


def with_metadata(**change: bytes) -> bytes:
    before = table()
    metadata = {**before.schema.metadata, **{key.encode(): one for key, one in change.items()}}
    return raw(before.replace_schema_metadata(metadata))


def with_shared(change: Callable[[dict[str, Any]], Any]) -> bytes:
    documents = orjson.loads(table().schema.metadata[b"shared"])
    return with_metadata(shared=orjson.dumps([change(documents[0]), *documents[1:]]))


def test_results_are_read_as_they_were_written() -> None:
    every = mixed()
    read = from_arrow(to_arrow(columns(*every)))
    assert rendered(read) == [alone(outcome) for outcome in every]
    assert read.scene_id == SCENE_ID


def test_each_bit_of_a_metric_arrives() -> None:
    chance = random.Random(1)  # noqa: S311
    numbers = [chance.uniform(-1, 1) * 10 ** chance.randint(-300, 300) for _ in METRICS]
    before = columns(*outcomes())
    metrics = before.metrics.copy()
    whole = [place for place, name in enumerate(METRICS) if type(NUMBERS[place]) is int and name]
    metrics[0] = [round(n) % 1000 if at in whole else n for at, n in enumerate(numbers)]
    sent = dataclasses.replace(before, metrics=metrics)
    np.testing.assert_array_equal(from_arrow(to_arrow(sent)).metrics, metrics)


def test_a_message_of_an_older_release_lacks_the_later_metrics() -> None:
    older = table().drop_columns(["stability", "calmar"])
    read = from_arrow(raw(older))
    assert {one["stability"] for one in rendered(read)} == {None}
    with pytest.raises(MessageInvalid, match="sharpe"):
        from_arrow(raw(table().drop_columns(["sharpe"])))


def test_a_slice_of_results_is_a_message_too() -> None:
    every = mixed()
    assert rendered(from_arrow(to_arrow(columns(*every).part(1, 3)))) == [
        alone(outcome) for outcome in every[1:3]
    ]


KEYS = pa.array([None] * 32, pa.binary(32))
WRONG: list[tuple[str, bytes | None, RejectionCode, str | None]] = [
    ("nothing", None, RejectionCode.INVALID_FIELD, None),
    ("no bytes", b"", RejectionCode.INVALID_FIELD, None),
    ("text", b"{}", RejectionCode.INVALID_FIELD, None),
    ("half", to_arrow(columns(*mixed()))[:2000], RejectionCode.INVALID_FIELD, None),
    ("no rows", raw(table().slice(0, 0)), RejectionCode.INVALID_FIELD, None),
    ("a name more", raw(table().append_column("x", table()["group"])), "invalid_field", "x"),
    ("a name twice", raw(table().append_column("group", table()["group"])), "invalid_field", None),
    ("another type", with_column("sharpe", table()["trades"]), "invalid_field", "sharpe"),
    ("no key", with_column("run_key", KEYS), "invalid_field", "run_key"),
    (
        "a group of none",
        with_column("group", pa.array([9999] * 32, pa.int32())),
        "invalid_field",
        "group",
    ),
    (
        "a group below",
        with_column("group", pa.array([-1] * 32, pa.int32())),
        "invalid_field",
        "group",
    ),
    (
        "infinity",
        with_column("sharpe", pa.array([math.inf] * 32, pa.float64())),
        "invalid_field",
        "sharpe",
    ),
    (
        "parameters of a list",
        with_column("params", pa.array(["[]"] * 32)),
        "invalid_field",
        "params.0",
    ),
    ("no JSON", with_column("params", pa.array(["{"] * 32)), "not_json", "params.0"),
    ("NaN in them", with_column("params", pa.array(['{"a": NaN}'] * 32)), "not_json", "params.0"),
    (
        "a later version",
        with_metadata(schema_version=b"2"),
        "unsupported_version",
        "schema_version",
    ),
    ("no scene", with_metadata(scene_id=b"x"), "invalid_field", "scene_id"),
    ("no documents", with_metadata(shared=b"[]"), "invalid_field", "shared"),
    ("broken documents", with_metadata(shared=b"["), "not_json", "shared"),
    ("a word for one", with_shared(lambda _: "x"), "invalid_field", "shared.0"),
    (
        "another scene",
        with_shared(lambda one: one | {"scene_id": "y"}),
        "invalid_field",
        "shared.0.scene_id",
    ),
    (
        "a status of none",
        with_shared(lambda one: one | {"status": "fine"}),
        "invalid_field",
        "shared.0.status",
    ),
    (
        "its own field",
        with_shared(lambda one: one | {"run_key": "0" * 64}),
        "invalid_field",
        "shared.0.run_key",
    ),
]


@pytest.mark.parametrize(
    ("sent", "code", "field"), [one[1:] for one in WRONG], ids=[w[0] for w in WRONG]
)
def test_what_is_no_message_of_results_is_refused(
    sent: bytes | None, code: RejectionCode, field: str | None
) -> None:
    with pytest.raises(MessageInvalid) as caught:
        from_arrow(sent)
    assert (caught.value.code, caught.value.field) == (code, field)


ODD = [None, True, 0, 1, -1.5, "x", "0" * 64, [], ["x"], {}, {"a": 1}, "2024-01-01"]


@pytest.mark.parametrize("field", [name for name in Result.model_fields if name not in OWN])
def test_what_results_share_is_taken_just_where_the_model_takes_it(field: str) -> None:
    whole = alone(mixed()[0])
    for odd in ODD:
        if field == "scene_id":
            continue  # compared with the message's own
        try:
            Result.model_validate_json(orjson.dumps(whole | {field: odd}))
        except ValidationError:
            with pytest.raises(MessageInvalid):
                from_arrow(with_shared(lambda one, odd=odd: one | {field: odd}))
        else:
            read = from_arrow(with_shared(lambda one, odd=odd: one | {field: odd}))
            assert rendered(read)[0] == whole | {field: odd}


def test_bytes_that_were_changed_anywhere_are_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)  # noqa: S311
    honest = to_arrow(columns(*mixed()))
    refused = 0
    for _ in range(1_000):
        damaged = bytearray(honest)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read: ResultColumns = from_arrow(bytes(damaged[: chance.choice([len(damaged), 9_000])]))
        except MessageInvalid:
            refused += 1
        else:
            assert all(orjson.loads(one.body) for one in read.documents())
    assert refused > 100
