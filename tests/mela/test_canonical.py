"""One spelling for each value: what RFC 8785 says, whichever way it is computed."""

from __future__ import annotations

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mela.canonical import canonical_json, canonical_object, canonical_scalar, digest

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), SCALARS))
def test_an_object_spelled_by_parts_is_the_object_spelled_whole(fields: dict[str, object]) -> None:
    parts = {name: canonical_scalar(value) for name, value in fields.items()}  # type: ignore[arg-type]
    doubles = {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in fields.items()
    }
    assert canonical_object(parts) == rfc8785.dumps(doubles)


def test_numbers_are_doubles_never_text() -> None:
    assert canonical_json(10_000) == canonical_json(10_000.00) == b"10000"
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json("1") != canonical_json(1)


def test_a_digest_keeps_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
