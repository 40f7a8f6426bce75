"""`mela plot`, `mela trades`: one run of a stored scene, as a picture and trade by trade."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.console import WRONG_QUESTION, err, explains, fail, out
from cli.panels import SCENES
from cli.scenes.plot import kind_of, save_picture
from cli.scenes.scene_ids import SceneId, scene_id_of
from cli.scenes.trade_rows import trades_csv, trades_table
from mela.counts import counted
from mela.errors import InputInvalid
from mela.settings import Settings

KEY_DIGITS = 12
STDOUT = Path("-")
Run = Annotated[
    str, typer.Option(metavar="N|RUN_KEY", help="Its rank, or the first digits of its run_key.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (plot, trades):
        app.command(rich_help_panel=SCENES)(command)


@explains
def plot(
    scene_id: SceneId,
    run: Run = "1",
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html|FILE.png", help="SCENE.html if left out, by the id's first digits."
        ),
    ] = None,
) -> None:
    """Draw the best run of a scene, or another one, from the warehouse's candles.

    The run is executed again, and drawn only if it still gives the stored result.

    Example: mela plot last --run 2 --to second.png
    """
    kind = kind_of(to, "--to") if to else "html"
    from services.runs.stored_runs import draw_run

    settings = Settings()
    scene_uuid = scene_id_of(scene_id, settings)
    try:
        drawn = draw_run(scene_uuid, settings, kind, run=run)
    except InputInvalid as error:
        raise fail(str(error), WRONG_QUESTION) from error
    of = f" of run {drawn.run_key[:KEY_DIGITS]}, number {drawn.rank}"
    save_picture(to or Path(f"{str(scene_uuid)[:8]}.html"), drawn.content, of)


@explains
def trades(
    scene_id: SceneId,
    run: Run = "1",
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", dir_okay=False, metavar="FILE", help="Write CSV; - for standard output."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one array.")] = False,
) -> None:
    """Print the trades of a scene's best run, or of another one, the oldest first.

    Instants are the openings of the candles of the fills; docs/results.md says what each number is.

    Example: mela trades last --csv trades.csv
    """
    from mela.curve import trade_documents  # loads NumPy
    from services.runs.stored_runs import trades_of

    settings = Settings()
    scene_uuid = scene_id_of(scene_id, settings)
    try:
        found = trades_of(scene_uuid, settings, run=run)
    except InputInvalid as error:
        raise fail(str(error), WRONG_QUESTION) from error
    rows = trade_documents(found.trades, found.result["instruments"][0])
    if csv is not None:
        write_trades(csv, rows)
    elif as_json:
        out.print(json.dumps(rows, indent=2), markup=False)
    else:
        name = f"run {found.result['run_key'][:KEY_DIGITS]}, number {found.rank}"
        out.print(trades_table(rows, f"{name}: {counted(len(rows), 'trade')}"))


def write_trades(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write trades as CSV into a file, or to standard output."""
    text = trades_csv(rows)
    if path == STDOUT:
        out.print(text, markup=False, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"{path} cannot be written: {error.strerror}") from error
    err.print(f"{counted(len(rows), 'trade')}: {path}", markup=False)
