"""The page around figures: one file that needs nothing else, light or dark, wide or narrow."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from plotly.offline import get_plotlyjs

from backtests.charts import colours

Section = tuple[str, str, tuple[str, ...], str]  # heading, about, notes, what is shown as HTML

STYLE = f"""
:root {{ color-scheme: light dark; --ink: {colours.LIGHT.ink}; --faint: {colours.LIGHT.faint};
  --paper: {colours.LIGHT.paper}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: {colours.DARK.ink};
  --faint: {colours.DARK.faint}; --paper: {colours.DARK.paper}; }} }}
body {{ margin: 0 auto; max-width: 1500px; padding: 1.2rem 1.5rem 3rem; color: var(--ink);
  background: var(--paper);
  font: 15px/1.45 "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }}
h1 {{ font-size: 1.35rem; margin: 1.4rem 0 .2rem; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: separate; border-spacing: 2px; margin: .6rem 0; font-size: .9rem; }}
th, td {{ padding: .25rem .55rem; text-align: right; font-weight: normal; white-space: nowrap; }}
th {{ color: var(--faint); }} td[style] {{ color: {colours.INK}; }}
td:last-child {{ font-weight: bold; }}
p {{ margin: .1rem 0; }} .notes {{ color: var(--faint); font-style: italic; }}
@media (max-width: 600px) {{ body {{ padding: .6rem .6rem 2rem; }} }}
"""
# Plotly's figures know one set of colours. The script gives them those of the reader's theme, mixes
# lines with white where the paper is dark, and leaves a narrow screen more room for the curves.
SCRIPT = f"""
(() => {{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const pale = (hex) => "#" + [1, 3, 5].map((at) =>
    Math.round(0.55 * parseInt(hex.slice(at, at + 2), 16) + 0.45 * 255)
      .toString(16).padStart(2, "0")).join("");
  const of = (hex) => dark.matches && /^#[0-9a-f]{{6}}$/i.test(hex) ? pale(hex) : hex;
  const paint = () => document.querySelectorAll(".plotly-graph-div").forEach((graph) => {{
    const [ink, faint, grid, paper] = dark.matches
      ? {list(colours.DARK)} : {list(colours.LIGHT)};
    graph.own = graph.own || graph.data.map((trace) =>
      [trace.line && trace.line.color, trace.marker && trace.marker.color]);
    graph.side = graph.side || graph.layout.margin.l;
    const layout = {{ "font.color": ink, paper_bgcolor: paper, plot_bgcolor: paper,
      "hoverlabel.bgcolor": paper, "margin.l": narrow.matches ? 56 : graph.side,
      "margin.r": narrow.matches ? 8 : 30 }};
    Object.keys(graph.layout).filter((key) => /^[xy]axis\\d*$/.test(key)).forEach((key) => {{
      Object.assign(layout, {{ [key + ".gridcolor"]: grid, [key + ".zerolinecolor"]: grid,
        [key + ".tickfont.color"]: faint, [key + ".title.font.color"]: faint }});
    }});
    (graph.layout.shapes || []).forEach((shape, place) => {{
      layout["shapes[" + place + "].line.color"] = ink;
    }});
    graph.data.forEach((trace, place) => {{
      if (trace.type !== "scatter") return;
      const [line, marker] = graph.own[place], colour = {{}};
      if (line) colour["line.color"] = of(line);
      if (marker) Object.assign(colour, {{ "marker.color": of(marker),
        "marker.line.color": paper }});
      if (line || marker) Plotly.restyle(graph, colour, [place]);
    }});
    Plotly.relayout(graph, layout);
  }});
  dark.addEventListener("change", paint);
  narrow.addEventListener("change", paint);
  paint();
}})();
"""


def page(sections: Sequence[Section], title: str) -> str:
    """Return an HTML page of sections, each a heading with text and a figure or a table."""
    parts: list[str] = []
    for heading, about, notes, body in sections:
        parts.append(
            f"<h1>{escape(heading)}</h1>\n<p>{escape(about)}</p>\n"
            f'<p class="notes">{escape("; ".join(notes))}</p>\n<div class="wide">{body}</div>'
        )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n" + "\n".join(parts)
    ) + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
