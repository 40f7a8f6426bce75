"""Read YAML as people mean it: `1e-3` is a number, and an object has a key once."""

from __future__ import annotations

import re
from typing import Any

import yaml

# as YAML 1.2 has it; YAML 1.1 wants a point and a signed exponent, and reads 1e-3 as text
_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")


def read_yaml(text: str) -> Any:
    """Return the document of a text in YAML or JSON.

    Raises yaml.YAMLError for text that is neither, or that has a key twice in one object.

    >>> read_yaml("costs: {fee: 1e-3}")
    {'costs': {'fee': 0.001}}
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return a mapping as it is written; a key that comes again is refused."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                raise yaml.YAMLError(
                    f"expected the key {key.value!r} once, but found it in line "
                    f"{lines[key.tag, key.value]} and again in line {line}. Leave one out."
                )
            lines[key.tag, key.value] = line
        return node


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
