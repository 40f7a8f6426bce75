"""`mela rejected`: messages that were refused, with the reason, and how they are sent again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.console import err, explains, fail, out
from cli.instants import instant
from cli.panels import SCENES
from mela.errors import RejectionCode
from mela.run import instant_text
from mela.settings import Settings

if TYPE_CHECKING:
    from mela.messages import Rejection

SHOWN = 20
READABLE = 2_000  # characters of a message that are printed; --save gives all of it


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel=SCENES)(rejected)


@explains
def rejected(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Show one in full: its id, as scenes:0:41."),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", metavar="ID", help="Publish the original bytes again, to the same topic."
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the bytes of the one shown to this file.")
    ] = None,
    code: Annotated[
        RejectionCode | None, typer.Option("--code", help="Only those with this code.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option("--topic", help="Only those of this topic: scenes, runs, …")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only those from this day or instant on.")
    ] = None,
    most: Annotated[int, typer.Option("--last", min=1, help="Number to print.")] = SHOWN,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one array, with each message in base64.")
    ] = False,
) -> None:
    """List the newest rejected messages with the reason; show one, or publish one again."""
    from services.scenes.rejected import Wanted, latest_rejections, rejection_of

    settings = Settings()
    if replay is not None:
        _replay(replay, settings)
        return
    if name is not None:
        _show(rejection_of(name, settings), save, as_json=as_json)
        return
    if save is not None:
        raise fail("--save writes one message: say which, as `mela rejected scenes:0:41 --save F`.")
    wanted = Wanted(code, topic, None if since is None else instant(since, "--since"))
    found = latest_rejections(settings, most=most, wanted=wanted)
    if as_json:
        out.print(
            json.dumps([one.model_dump(mode="json") for one in found], indent=2), markup=False
        )
    elif not found:
        is_all = wanted == Wanted()
        err.print("no message was rejected." if is_all else "no rejected message is such a one.")
    else:
        _list(found)


def _list(letters: list[Rejection]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("rejected", "message", "code", "field", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    for one in letters:
        table.add_row(
            instant_text(one.rejected_at)[:19],
            *map(_printable, (one.key, one.code, one.field or "–", one.sentence)),
        )
    out.print(table)


def _show(letter: Rejection, save: Path | None, *, as_json: bool) -> None:
    from messaging.codec import original_of

    original = original_of(letter)
    if as_json:
        out.print(json.dumps(letter.model_dump(mode="json"), indent=2), markup=False)
    else:
        lines = {
            "id": letter.key,
            "rejected": f"{instant_text(letter.rejected_at)}, by version {letter.code_version}",
            "code": letter.code,
            "field": letter.field or "–",
            "reason": letter.sentence,
            "message": _described(letter, original),
        }
        for name, value in lines.items():
            out.print(f"{name:<9} {_escaped(str(value))}", markup=False)
        out.print(_escaped(_readable(original)), markup=False)
    if save is not None:
        save.write_bytes(original)
        err.print(f"wrote {len(original):,} bytes to {save}", markup=False)


def _described(letter: Rejection, original: bytes) -> str:
    if letter.size is None and not original:
        return "it had no value"
    if letter.is_cut:
        return f"{letter.size:,} bytes, of which the letter holds the first {len(original):,}"
    return f"{len(original):,} bytes"


def _readable(original: bytes) -> str:
    text = original.decode(errors="backslashreplace")
    if len(text) <= READABLE:
        return text
    return f"{text[:READABLE]}… ({len(text) - READABLE:,} characters more: --save FILE has all)"


def _escaped(text: str) -> str:
    """Return text that moves no cursor and rings no bell."""
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in text
    )


def _printable(text: str) -> str:
    from rich.markup import escape

    return escape(_escaped(text))


def _replay(name: str, settings: Settings) -> None:
    from services.scenes.republish import replay

    done = replay(name, settings)
    verb = "published again as" if done.is_new else "was published again before, as"
    err.print(f"{name} {verb} {done.position.key}", markup=False)
    if done.scene_id is not None:
        out.print(str(done.scene_id))
        err.print(f"follow it with `mela follow {done.scene_id}`", markup=False)
