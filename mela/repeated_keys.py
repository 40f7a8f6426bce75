"""Find keys that an object of JSON has twice: readers take the last one without a word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


class _KeyRepeatedError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def repeated_key(raw: bytes | str) -> str | None:
    """Return the first key that an object has twice, at any depth; None where none has.

    raw: valid JSON

    >>> repeated_key('{"cash": 5, "costs": {"fee": 0, "fee": 1}}')
    'fee'
    """
    try:
        json.loads(raw, object_pairs_hook=_refuse, parse_int=str, parse_float=str)
    except _KeyRepeatedError as error:
        return error.key
    except RecursionError:  # whoever reads what is in it refuses that depth
        return None
    return None


def _refuse(pairs: Sequence[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _KeyRepeatedError(key)
        seen.add(key)
