"""Read YAML as people mean it: `1e-3` is a number, and an object has a key once."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import yaml

from mela.repeated_keys import repeated_key

# Numbers are those of YAML 1.2, and 1_000: PyYAML is of version 1.1, where 1e-3 is text, 010 is 8
# and 1:30 is 90.
_FLOAT = re.compile(
    r"[-+]?(([0-9][0-9_]*)?\.[0-9][0-9_]*|[0-9][0-9_]*\.?)([eE][-+]?[0-9]+)?$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_WHOLE = re.compile(r"[-+]?[0-9][0-9_]*$|0o[0-7]+$|0x[0-9a-fA-F]+$")
_INT, _REAL = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_STAMP = "tag:yaml.org,2002:timestamp"


def read_yaml(text: str) -> Any:
    """Return the document of a text in YAML or JSON.

    Raises yaml.YAMLError for text that is neither, or that has a key twice in one object.

    >>> read_yaml("costs: {fee: 1e-3}")
    {'costs': {'fee': 0.001}}
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):  # JSON may be indented with tabs, and YAML has braces, too
        with suppress(ValueError, RecursionError):
            if repeated_key(text) is None:
                return json.loads(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except (ValueError, TypeError, AttributeError) as error:  # PyYAML's own, as of !!float x
        raise yaml.YAMLError(f"a value does not fit its tag: {error}") from error


class _Loader(yaml.SafeLoader):
    # a key of SafeLoader's is a first letter; what it resolves to numbers is resolved below
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        letter: [(tag, form) for tag, form in forms if tag not in (_INT, _REAL)]
        for letter, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

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

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """Return a whole number, in tens unless 0x or 0o says otherwise."""
        word = str(self.construct_scalar(node)).replace("_", "")
        try:
            return int(word, 0 if word[:2] in ("0x", "0o") else 10)
        except ValueError as error:  # more digits than Python reads
            raise yaml.YAMLError(f"expected a number, but found {word[:40]!r}") from error

    def construct_stamp(self, node: yaml.ScalarNode) -> Any:
        """Return a time; a day that no calendar has stays text, so that its field is named."""
        try:
            return self.construct_yaml_timestamp(node)
        except (ValueError, OverflowError):
            return self.construct_scalar(node)


_Loader.add_implicit_resolver(_REAL, _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(_INT, _WHOLE, list("-+0123456789"))
for _letter in "-+0123456789":  # a whole number is a float to the pattern of floats
    _Loader.yaml_implicit_resolvers[_letter].sort(key=lambda one: one[0] == _REAL)
_Loader.add_constructor(_INT, _Loader.construct_whole)
_Loader.add_constructor(_STAMP, _Loader.construct_stamp)
