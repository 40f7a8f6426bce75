"""A scene as YAML, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_FIRST = ("kind", "name", "from", "to", "step", "low", "high")  # inside of a field


def yaml_of(content: Mapping[str, Any]) -> str:
    """Return a scene as YAML: its fields in the order of the docs, short values on one line.

    >>> print(yaml_of({"end": "2024-01-01T00:00:00Z", "instruments": ["a:B"], "cash": 1e4}), end="")
    instruments: ['a:B']
    end: 2024-01-01T00:00:00Z
    cash: 10000
    """
    return yaml.dump(
        {name: _plain(content[name]) for name in sorted(content, key=_rank)},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )


# As people write a scene: what, when, by which strategy, then how it trades, then what is searched
_ORDER = (
    "schema_version", "name", "instruments", "mode", "portfolio", "interval", "start", "end",
    "strategy", "inputs", "search", "validation", "holdout", "rank_by", "min_trades",
)  # fmt: skip


def _rank(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  yaml names it so
        """Spell a value out wherever it stands."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    if _INSTANT.fullmatch(value):
        return dumper.represent_scalar("tag:yaml.org,2002:timestamp", value)
    return yaml.SafeDumper.represent_str(dumper, value)


_Dumper.add_representer(str, _text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        ordered = [name for name in _FIRST if name in value]
        ordered += [name for name in value if name not in _FIRST]
        return {str(name): _plain(value[name]) for name in ordered}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
