"""Draw the star of docs/data-model.md from its own diagram, for readers whose pages run no Mermaid.

Dimensions stand on the left, facts on the right, a line for each that a fact has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
MERMAID = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
_RELATION = re.compile(r"^ +(\w+) [|}][|o]--[|o][|{] (\w+)", re.MULTILINE)
_ENTITY = re.compile(r"^ +(\w+) \{\n(.*?)^ +\}", re.MULTILINE | re.DOTALL)
_COLOURS = (
    *("#b45309", "#1d4ed8", "#0f766e", "#6d28d9"),
    *("#be123c", "#4d7c0f", "#0369a1", "#a21caf", "#475569"),
)
_WIDTH, _LEFT, _RIGHT = 960, 200, 560
_LINE = 17


def drawing() -> str:
    """Return the picture as SVG."""
    found = MERMAID.search((DOCS / "data-model.md").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("expected a diagram in docs/data-model.md, but found no mermaid block")
    relations: list[tuple[str, str]] = _RELATION.findall(found[1])
    fields = {name: _fields(body) for name, body in _ENTITY.findall(found[1])}
    names = dict.fromkeys(name for pair in relations for name in pair)
    facts = [name for name in names if name.startswith("fct_")]
    dimensions = [name for name in names if name.startswith("dim_")]
    tops = _tops(facts, fields)
    height = tops.pop("")
    step = (height - 40) / len(dimensions)
    middles = {name: 20 + step * (place + 0.5) for place, name in enumerate(dimensions)}
    colours = dict(zip(dimensions, _COLOURS, strict=True))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' font-family="system-ui, \'Segoe UI\', Helvetica, Arial, sans-serif" font-size="13">',
        "<title>The star: dimensions, and the facts that have them</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="14" fill="#f8fafc"/>',
        *_lines(relations, tops, middles, colours),
        *(_dimension(name, middles[name], colours[name]) for name in dimensions),
        *(_fact(name, tops[name], fields[name]) for name in facts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _fields(body: str) -> list[tuple[str, bool]]:
    """Return the columns of an entity, and whether they are of its key."""
    rows = (line.split() for line in body.splitlines() if line.strip())
    return [(row[1], "PK" in row) for row in rows]


def _tops(facts: list[str], fields: dict[str, list[tuple[str, bool]]]) -> dict[str, int]:
    """Return where each fact's box begins, and under "" where the picture ends."""
    tops, at = {}, 20
    for name in facts:
        tops[name] = at
        at += 40 + _LINE * len(fields[name]) + 12
    return {**tops, "": at + 6}


def _lines(
    relations: list[tuple[str, str]],
    tops: dict[str, int],
    middles: dict[str, float],
    colours: dict[str, str],
) -> Iterator[str]:
    for one, other in relations:
        if one in middles and other in tops:
            begin, end = middles[one], tops[other] + 13 + 3 * list(middles).index(one)
            path = f"M{_LEFT} {begin:g}C380 {begin:g} 380 {end:g} {_RIGHT} {end:g}"
            colour = colours[one]
        elif one in tops:
            begin, end = tops[one] + 18, tops[other] + 18
            path = f"M860 {begin}C920 {begin} 920 {end} 860 {end}"
            colour = "#475569"
        else:
            begin, end = middles[one], middles[other]
            path = f"M50 {begin:g}C10 {begin:g} 10 {end:g} 50 {end:g}"
            colour = colours[one]
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" opacity="0.75"/>'


def _dimension(name: str, middle: float, colour: str) -> str:
    box = f'<rect x="50" y="{middle - 17:g}" width="150" height="34" rx="8" fill="#fff"'
    return (
        f'{box} stroke="{colour}" stroke-width="1.6"/>'
        f'<text x="125" y="{middle + 5:g}" text-anchor="middle" fill="#0f172a">{name}</text>'
    )


def _fact(name: str, top: int, fields: list[tuple[str, bool]]) -> str:
    height = 40 + _LINE * len(fields)
    rows = "".join(
        f'<text x="{_RIGHT + 14}" y="{top + 44 + _LINE * place}" fill="#475569" font-size="12">'
        f"{field}{' · key' if is_key else ''}</text>"
        for place, (field, is_key) in enumerate(fields)
    )
    return (
        f'<rect x="{_RIGHT}" y="{top}" width="300" height="{height}" rx="8" fill="#fff"'
        f' stroke="#334155" stroke-width="1.6"/><text x="{_RIGHT + 14}" y="{top + 23}"'
        f' font-weight="600" fill="#0f172a">{name}</text>{rows}'
    )
