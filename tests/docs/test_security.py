"""docs/security.md names tests, and all of them are there."""

from __future__ import annotations

import re

from mela.settings import REPOSITORY
from tests.docs.references import fault

PAGE = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    """`::name` alone belongs to the file named before it."""
    named: list[str] = []
    for found in re.findall(r"`(tests/[^`]+\.py|::test_\w+|tests/[^`]+\.py::test_\w+)`", PAGE):
        file = named[-1].partition("::")[0] if found.startswith("::") else ""
        named.append(file + found)
    assert len(named) > 30
    assert not [fault(one) for one in named if fault(one)]
