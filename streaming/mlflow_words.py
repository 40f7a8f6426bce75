"""The words of a scene on MLflow's pages: names, parameters, descriptions. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mela.errors import SceneInvalid
from mela.metrics import METRICS
from mela.run_terms import ACCOUNT, PARTS
from mela.scene import parse_scene
from mela.scene_words import day_or_instant, flat, scene_in_words, spelled
from mela.search_report import EndWarning
from mela.warning_words import warnings_in
from warehouse.scenes.stored_scene import StoredScene

Document = Mapping[str, Any]
MOST_OF_NAME = 250  # characters that MLflow keeps of a run's name
MOST_OF_PARAM = 500  # MLflow's own limit is larger, but nobody reads more in its table
SHORT = {"stop_loss": "stop", "take_profit": "target", "instruments": "", "interval": ""}
HEADLINE = ("sharpe", "total_return", "max_drawdown", "trades")
TIMES = ("start", "end")


def request_fields(row: Document) -> dict[str, Any]:
    """Return what a run was asked, by path: its question, its strategy and all its terms."""
    names = ("instruments", "interval", *TIMES, *ACCOUNT)
    fields = {name: row[name] for name in names} | {"strategy": row["strategy"]["name"]}
    more = {name: row[name] for name in ("portfolio", "inputs") if row.get(name)}
    return fields | flat({name: row[name] for name in ("params", *PARTS)} | more)


def as_text(path: str, value: Any) -> str:
    """Return a parameter's value as text. Null is `none`: what is left out is drawn as a number."""
    if path in TIMES:
        return day_or_instant(str(value))
    return spelled(value)[:MOST_OF_PARAM]


def varied(rows: Sequence[Document]) -> list[str]:
    """Return the paths of what differs between rows, parameters first."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        for path, value in request_fields(row).items():
            seen.setdefault(path, set()).add(repr(value))
    found = [path for path, values in seen.items() if len(values) > 1]
    return sorted(found, key=lambda path: not path.startswith("params."))


def labels(paths: Sequence[str]) -> dict[str, str]:
    """Return a short word for each path; the whole path where two would have the same word.

    >>> labels(["params.fast", "exits.stop_loss", "params.period", "entry.period"])
    {'params.fast': 'fast', 'exits.stop_loss': 'stop', 'params.period': 'params.period', \
'entry.period': 'entry.period'}
    """
    last = {path: path.rpartition(".")[2] for path in paths}
    words = {path: SHORT.get(name, name) for path, name in last.items()}
    counts = Counter(word for word in words.values() if word)
    return {path: path if counts[word] > 1 else word for path, word in words.items()}


def axes(rows: Sequence[Document], words: Mapping[str, str]) -> dict[str, str]:
    """Return the parameter that charts draw each varied one by; itself, but where it may be null.

    MLflow's charts leave out numbers or texts, whichever are fewer. So what is a number in one
    run and null in another gets a second parameter, which is text in both: `stop 0.05`, `stop none`
    """
    found: dict[str, str] = {}
    for path, word in words.items():
        values = [request_fields(row).get(path) for row in rows]
        is_mixed = None in values and any(isinstance(value, int | float) for value in values)
        taken = not word or any(word in request_fields(row) for row in rows[:1])
        found[path] = (f"axis {path}" if taken else word) if is_mixed else path
    return found


def params_of(
    row: Document, words: Mapping[str, str], drawn_by: Mapping[str, str]
) -> dict[str, str]:
    """Return a run's parameters as text, with those that charts need; drawn_by: as `axes` says."""
    texts = {path: as_text(path, value) for path, value in request_fields(row).items()}
    extra = {
        axis: f"{words[path] or path} {texts[path]}"
        for path, axis in drawn_by.items()
        if axis != path and path in texts
    }
    return texts | extra


def run_name(place: int, row: Document, words: Mapping[str, str]) -> str:
    """Return a run's name: its rank and what tells it apart, as `#1 fast=35 slow=140 stop=none`.

    words: of the paths that vary
    """
    fields = request_fields(row)
    parts = [f"#{place}"]
    if "instruments" in words:
        parts.append(" + ".join(row["instruments"]))
    for path, word in words.items():
        if path != "instruments" and path in fields:
            value = as_text(path, fields[path])
            parts.append(f"{word}={value}" if word else value)
    if len(parts) == 1:
        parts.append(" + ".join(row["instruments"]))
    name = " ".join(parts)
    return name if len(name) <= MOST_OF_NAME else f"{name[: MOST_OF_NAME - 1]}…"


def table_of(rows: Sequence[Document], named: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the table of runs: rank, what varies, how it ended, the metrics, all that was asked.

    named: words of the paths that vary
    MLflow's viewer reads what looks like an instant as one and then shows nothing, so that times
    are written without a T.
    """
    return [_table_row(place, row, named) for place, row in enumerate(rows, start=1)]


def _table_row(place: int, row: Document, named: Mapping[str, str]) -> dict[str, Any]:
    cells = {path: _cell(path, value) for path, value in request_fields(row).items()}
    head = {path: cells[path] for path in named if path in cells}
    ended = {name: row[name] for name in ("status", "cached", "candles")}
    keys = {name: row[name] for name in ("run_key", "result_key")}
    numbers = {name: row[name] for name in dict.fromkeys((*HEADLINE, *METRICS))}
    return {"rank": place, **head, **ended, **numbers, **cells, **keys}


def _cell(path: str, value: Any) -> Any:
    if path in TIMES:
        return str(value).replace("T", " ")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else spelled(value)


def scene_description(
    scene: StoredScene, rows: Sequence[Document], rank_by: str, warnings: Sequence[EndWarning]
) -> list[str]:
    """Return a scene in words, as paragraphs of Markdown: the question, the best, the doubts."""
    lines = [*_question(scene.content), _counts(scene)]
    best = rows[0] if rows else None
    if best is not None and best[rank_by] is not None:
        numbers = ", ".join(
            f"{name} {_number(best[name])}" for name in dict.fromkeys((rank_by, *HEADLINE))
        )
        which = run_name(1, best, labels(varied(rows))) if len(rows) > 1 else "The run"
        lines.append(f"**{which}**: {numbers}.")
    elif rows:
        lines.append("**No run gave any numbers.**")
    lines += [f"`{one.code}`: {one.sentence}" for one in warnings]
    lines += [f"`{code}`: {sentence}." for code, sentence, _ in warnings_in(rows[:1])]
    return lines


def _question(content: Document) -> list[str]:
    try:
        return scene_in_words(parse_scene(content))
    except SceneInvalid:  # an older release took it
        return [", ".join(f"{path} {spelled(value)}" for path, value in flat(content).items())]


def _counts(scene: StoredScene) -> str:
    runs = f"{scene.runs:,} run{'' if scene.runs == 1 else 's'}"
    return f"{runs}, {scene.skipped:,} combinations skipped, {scene.cached:,} from store."


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
