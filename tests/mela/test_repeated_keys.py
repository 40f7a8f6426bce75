"""Keys that an object of JSON has twice."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mela.repeated_keys import repeated_key

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(documents)
def test_what_json_writes_has_no_key_twice(document: object) -> None:
    assert repeated_key(json.dumps(document)) is None


@given(st.text(st.characters(codec="utf-8")), documents)
def test_a_key_is_found_however_deep_and_however_it_is_escaped(key: str, document: object) -> None:
    plain, escaped = json.dumps(key, ensure_ascii=False), json.dumps(key)
    raw = f'[{{"a": {{{plain}: {json.dumps(document)}, {escaped}: 2}}}}]'
    assert repeated_key(raw) == key


def test_depth_and_long_numbers_break_nothing() -> None:
    assert repeated_key("[" * 5000 + "]" * 5000) is None
    assert repeated_key("9" * 10_000) is None
