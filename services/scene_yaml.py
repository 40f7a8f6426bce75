"""A scene as YAML, for people, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def yaml_of(content: Mapping[str, Any]) -> str:
    """Return a scene as YAML: its fields in their order, short lists and objects on one line.

    >>> print(yaml_of({"instruments": ["binance:BTCUSDT"], "cash": 1000.0}).strip())
    instruments: ['binance:BTCUSDT']
    cash: 1000
    """
    return yaml.dump(
        _plain(content),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Spell a value out wherever it stands."""
        return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
