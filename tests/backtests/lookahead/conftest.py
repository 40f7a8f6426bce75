"""One small process for the checks of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backtests.lookahead.lean import Lean, lean


@pytest.fixture(scope="module")
def desk() -> Iterator[Lean]:
    with lean() as made:
        yield made
