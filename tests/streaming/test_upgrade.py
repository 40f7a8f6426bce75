"""Results that an older release sent as documents are read as their model reads them."""

from __future__ import annotations

import orjson
import pytest

from mela.errors import MessageInvalid, RejectionCode
from streaming.upgrade import read_result
from tests.mela.test_result_columns import alone, outcomes

DOCUMENT = alone(outcomes()[0])


def test_a_result_is_read_as_it_was_written() -> None:
    assert read_result(orjson.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, RejectionCode.NOT_JSON),
        (b"{", RejectionCode.NOT_JSON),
        (b"{}", RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT | {"run_key": "short"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT | {"status": "fine"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT | {"extra": 1}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT | {"costs": {"fee": 2}}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT | {"blocks": "short"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(DOCUMENT)[:-1] + b', "sharpe": NaN}', RejectionCode.NOT_JSON),
        (b"[]", RejectionCode.INVALID_FIELD),
    ],
)
def test_what_is_no_result_is_refused(raw: bytes | None, code: RejectionCode) -> None:
    with pytest.raises(MessageInvalid) as caught:
        read_result(raw)
    assert caught.value.code is code
