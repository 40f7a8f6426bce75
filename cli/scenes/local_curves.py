"""Trades and equity of `mela backtest`: within the JSON, as a table, as CSV files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from backtests.local import Bench
from cli.console import err, fail, out
from cli.scenes.trade_rows import trades_csv, trades_table
from mela.counts import counted
from mela.curve import ALL_CURVES_UP_TO, Curve, trade_documents
from mela.instants import from_ms, instant_text
from mela.messages import read_stored_run

Document = Mapping[str, Any]


def with_curves(
    documents: Sequence[Document],
    best: Sequence[Document],
    bench: Bench,
    *,
    trades: bool,
    equity: bool,
) -> list[dict[str, Any]]:
    """Return result documents with `curve`: the trades and the equity that are asked for.

    In a scene with more than 20 runs only the best of each instrument has one, as on the platform;
    it is null for the others, and for a run that gave none.
    best: the same documents, the best first
    """
    firsts = {tuple(one["instruments"]): one["run_key"] for one in reversed(best)}
    kept = set(firsts.values())
    with_curve: list[dict[str, Any]] = []
    for one in documents:
        is_kept = len(documents) <= ALL_CURVES_UP_TO or one["run_key"] in kept
        found = bench.curve_of(read_stored_run(one, bench.catalogue)) if is_kept else None
        with_curve.append({**one, "curve": found and _document(found, one, trades, equity)})
    return with_curve


def show_trades(best: Document) -> None:
    """Print the trades of a run that `with_curves` gave them, as a table."""
    rows = best["curve"]["trades"] if best["curve"] else []
    out.print(trades_table(rows, f"run {best['run_key'][:12]}: {counted(len(rows), 'trade')}"))


def write_csv(folder: Path, documents: Sequence[Document]) -> None:
    """Write runs.csv, and trades.csv and equity.csv where the documents have them.

    The rows of the latter two begin with the run_key that runs.csv lists.
    """
    curves = [(one["run_key"], one["curve"]) for one in documents if one.get("curve")]
    files = {"runs.csv": _csv(map(_flat, documents))}
    if any("trades" in curve for _, curve in curves):
        rows = [{"run_key": key, **row} for key, curve in curves for row in curve["trades"]]
        files["trades.csv"] = trades_csv(rows, "run_key")
    if any("equity" in curve for _, curve in curves):
        files["equity.csv"] = _csv(
            {"run_key": key, **row} for key, curve in curves for row in curve["equity"]
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"{error.filename} cannot be written: {error.strerror}") from error
    err.print(f"{', '.join(files)}: {folder}", markup=False)


def _document(curve: Curve, of: Document, trades: bool, equity: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if trades:
        found["trades"] = trade_documents(curve.trades, of["instruments"][0])
    if equity:
        found["equity"] = [
            {"opened_at": instant_text(from_ms(ms)), "equity": value}
            for ms, value in zip(curve.opened_ms.tolist(), curve.equity.tolist(), strict=True)
        ]
    return found


def _flat(document: Document) -> dict[str, Any]:
    """Return a result as cells: what is nested has a column for each of its fields."""
    row: dict[str, Any] = {}
    for name, value in document.items():
        if name in ("curve", "blocks"):
            continue
        if isinstance(value, Mapping) and name != "inputs":
            row |= {f"{name}.{field}": _cell(each) for field, each in value.items()}
        else:
            row[name] = _cell(value)
    return row


def _cell(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return json.dumps(value) if isinstance(value, list | dict) else value


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
