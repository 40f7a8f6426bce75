"""Turn our docstrings into Markdown: what they say of arguments into a list, examples into code."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import griffe

_TERM = re.compile(r"(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*):\s+(?P<text>\S.*)")
_PROMPT = re.compile(r">>> ")


class Docstrings(griffe.Extension):
    """Translate the docstring of each object that griffe has read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Translate one."""
        if obj.docstring is not None:
            names = {*obj.members, *(one.name for one in getattr(obj, "parameters", ())), "returns"}
            obj.docstring.value = translated(obj.docstring.value, names)


def translated(docstring: str, names: Collection[str] = ()) -> str:
    r"""Return a docstring as Markdown.

    >>> print(translated("Add.\n\na, b: (n,) float64,\n    no NaN\n\nSource: Euclid"))
    Add.
    <BLANKLINE>
    - **a, b**: (n,) float64, no NaN
    <BLANKLINE>
    *Source*: Euclid

    names: of what it may tell right below a sentence, without an empty line

    >>> print(translated("It adds.\na: a number", ["a"]))
    It adds.
    <BLANKLINE>
    - **a**: a number
    """
    blocks = (block for block in re.split(r"\n\s*\n", docstring.strip("\n")) if block.strip())
    parts = (part for block in blocks for part in _parted(block.splitlines(), names))
    return "\n\n".join(_block(part) for part in parts)


def _parted(lines: list[str], names: Collection[str]) -> Iterator[list[str]]:
    """Yield a block, or the sentences of it and then what follows of its arguments."""
    for place, line in enumerate(lines):
        term = _TERM.match(line)
        if term and place and names and {*term["names"].split(", ")} <= {*names}:
            yield from (lines[:place], lines[place:])
            return
        if term:
            break
    yield lines


def _block(lines: list[str]) -> str:
    block = "\n".join(lines)
    if _PROMPT.match(lines[0]):
        return f"```python\n{block}\n```"
    if any(line.lstrip()[:1] in "├└│" for line in lines):
        return f"```text\n{block}\n```"
    if not _TERM.match(lines[0]):
        return re.sub(r"^Source: ", "*Source*: ", block)
    said: list[str] = []
    for line in lines:
        term = _TERM.match(line)
        if term:
            said.append(f"- **{term['names']}**: {term['text']}")
        elif line.startswith(" "):
            said[-1] += " " + line.strip()
        else:
            said.append(line if not said[-1].startswith("- ") else f"\n{line}")
    return "\n".join(said)
