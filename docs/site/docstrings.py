"""Turn our docstrings into Markdown: what they say of arguments into a list, examples into code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_TERM = re.compile(r"(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*):\s+(?P<text>\S.*)")
_PROMPT = re.compile(r">>> ")


class Docstrings(griffe.Extension):
    """Translate the docstring of each object that griffe has read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Translate one."""
        if obj.docstring is not None:
            obj.docstring.value = translated(obj.docstring.value)


def translated(docstring: str) -> str:
    r"""Return a docstring as Markdown.

    >>> print(translated("Add.\n\na, b: (n,) float64,\n    no NaN\n\nSource: Euclid"))
    Add.
    <BLANKLINE>
    - **a, b**: (n,) float64, no NaN
    <BLANKLINE>
    *Source*: Euclid
    """
    blocks = (block for block in re.split(r"\n\s*\n", docstring.strip("\n")) if block.strip())
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    lines = block.splitlines()
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
