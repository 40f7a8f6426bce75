"""Draw what small scenes wait as lines over how many come, as SVG for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 820, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 180, 44, 56
STYLE = """
  .back { fill: #f8fafc } .line { fill: none; stroke-width: 2.5 }
  .axis { stroke: #94a3b8; stroke-width: 1 } .grid { stroke: #e2e8f0; stroke-width: 1 }
  text { fill: #334155 } .l0 { stroke: #0f766e } .l1 { stroke: #1d4ed8 }
  .l2 { stroke: #b45309; stroke-dasharray: 7 7 }
  .t0 { fill: #0f766e } .t1 { fill: #1d4ed8 } .t2 { fill: #b45309 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0f172a } .axis { stroke: #64748b } .grid { stroke: #1e293b }
    text { fill: #cbd5e1 } .l0 { stroke: #5eead4 } .l1 { stroke: #93c5fd } .l2 { stroke: #fbbf24 }
    .t0 { fill: #5eead4 } .t1 { fill: #93c5fd } .t2 { fill: #fbbf24 }
  }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the picture: its name, and the seconds at each rate."""

    name: str
    seconds: Sequence[float]


def picture(rates: Sequence[float], lines: Sequence[Line]) -> str:
    """Return the picture; both axes are logarithmic.

    rates: small scenes a second
    """
    least = min(min(one.seconds) for one in lines)
    most = max(max(one.seconds) for one in lines)
    decades = math.floor(math.log10(least)), math.ceil(math.log10(most))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="system-ui, \'Segoe UI\', Helvetica, Arial, sans-serif" font-size="13">',
        "<title>The wait of small scenes, by how many come and how many giants go on</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="14"/>',
        f'<text x="{LEFT}" y="26">median seconds from arrival to start, simulated</text>',
        *_axes(rates, decades),
        *_lines(rates, lines, decades),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(rate: float, rates: Sequence[float]) -> float:
    share = math.log(rate / rates[0]) / math.log(rates[-1] / rates[0])
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(seconds: float, decades: tuple[int, int]) -> float:
    share = (math.log10(seconds) - decades[0]) / (decades[1] - decades[0])
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _axes(rates: Sequence[float], decades: tuple[int, int]) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for decade in range(decades[0], decades[1] + 1):
        y = _y(10.0**decade, decades)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:g} s</text>'
    for rate in rates:
        x = _x(rate, rates)
        yield f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{rate:g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<path class="axis" d="M{LEFT} {bottom}H{WIDTH - RIGHT}"/>'
    at = f'x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle"'
    yield f"<text {at}>small scenes a second</text>"


def _lines(
    rates: Sequence[float], lines: Sequence[Line], decades: tuple[int, int]
) -> Iterator[str]:
    labels: list[float] = []
    for place, line in enumerate(lines):
        points = [
            f"{_x(rate, rates):.1f} {_y(seconds, decades):.1f}"
            for rate, seconds in zip(rates, line.seconds, strict=True)
        ]
        yield f'<path class="line l{place}" d="M{"L".join(points)}"/>'
        y = _y(line.seconds[-1], decades) + 4
        while any(abs(y - other) < 16 for other in labels):  # names do not lie on each other
            y -= 16
        labels.append(y)
        x = WIDTH - RIGHT + 10
        yield f'<text class="t{place}" x="{x}" y="{y:.1f}">{line.name}</text>'
