"""Let the site read pages as code hosts do: dialects of Markdown differ in lists and folds."""

from __future__ import annotations

import re
from typing import Any

_ITEM = re.compile(r"( *)([-*]|\d+\.) +")
_DIAGRAM = re.compile(r"```mermaid\n.*?```", re.DOTALL)  # what draws it would come from elsewhere
_FENCE = re.compile(r" *(```|~~~)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page in Python-Markdown's dialect, for MkDocs; a diagram is a picture there."""
    return translated(
        _DIAGRAM.sub("![dimensions, and the facts that have them](pictures/star.svg)", markdown)
    )


def translated(markdown: str) -> str:
    r"""Return Markdown as Python-Markdown takes it.

    The content of a list item is indented by four instead of two; a list begins after an empty
    line; a cell's code has its bar bare; a fold's content is Markdown.

    >>> print(translated("Some:\n- one\n\n  two"))
    Some:
    <BLANKLINE>
    - one
    <BLANKLINE>
        two
    >>> translated("| `a\\|b` |")
    '| `a|b` |'
    """
    lines: list[str] = []
    depth, fenced = 0, False  # of the list that a line stands in
    for line in markdown.splitlines():
        item = None if fenced else _ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        if item and indent <= 2 * depth:
            if not indent and lines and lines[-1].strip() and not depth:
                lines.append("")
            depth = indent // 2 + 1
        elif line.strip() and not fenced and not indent:
            depth = 0
        inside = depth - 1 if item else min(depth, indent // 2)
        if _FENCE.match(line):
            fenced = not fenced
        if line.startswith("|") and not fenced:
            line = re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), line)
        if line.strip():
            line = "  " * inside + line
        lines.append(line.replace("<details>", '<details markdown="1">'))
    return "\n".join(lines)
