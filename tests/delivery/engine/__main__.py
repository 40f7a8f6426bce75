"""`python3 -m tests.delivery.engine`: docs/containers.md, executed on a container engine.

It makes a clone under umask 077, builds the image, starts everything, runs scenes, restarts and
kills services under a grid, backs up, restores, upgrades, stops and starts, and removes all of it.
MELA_IMAGE_PYTHON, _POSTGRES, _KAFKA, _PROMETHEUS and _GRAFANA name other images where those of the
registry are not to be had; `--without grafana` leaves one of the two watchers out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.delivery.engine.asking import unwell
from tests.delivery.engine.stack import ROOT, Failed, NoEngine, Stack, engine
from tests.delivery.engine.steps import STEPS, Measured

OUT = ROOT / "build" / "containers"


def main() -> None:
    """Run the steps; exit with 1 if one does not hold."""
    words = argparse.ArgumentParser(prog="make containers", description=__doc__)
    words.add_argument("--required", action="store_true", help="fail where there is no engine")
    words.add_argument("--without", action="append", default=[], choices=["prometheus", "grafana"])
    words.add_argument("--only", default="", help=f"some of {','.join(STEPS)}")
    words.add_argument("--folder", type=Path, default=None, help="of the clone, which is then kept")
    given = words.parse_args()
    try:
        versions = engine()
    except NoEngine as error:
        print(f"docs/containers.md was not executed: {error}.", flush=True)
        sys.exit(1 if given.required else 0)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="mela-containers-"))
    OUT.mkdir(parents=True, exist_ok=True)
    measured = Measured(versions=versions, without=given.without)
    status = run(Stack(folder, OUT / "log"), measured, given.only.split(",") if given.only else [])
    if given.folder is None:
        shutil.rmtree(folder)
    sys.exit(status)


def run(stack: Stack, measured: Measured, only: list[str]) -> int:
    """Take the steps and print what each took; return the exit status."""
    print(f"engine {measured.versions['engine']}, compose {measured.versions['compose']}")
    print(f"what is said goes to {stack.log}", flush=True)
    status, name = 0, ""
    try:
        for name, step in STEPS.items():
            if only and name not in only:
                continue
            began = time.monotonic()
            told = step(stack, measured)
            measured.seconds[name] = round(time.monotonic() - began, 1)
            print(f"{name:<12}{measured.seconds[name]:>8.1f} s  {told}", flush=True)
    except Failed as error:
        status = 1
        print(f"{name} does not hold: {error}", file=sys.stderr, flush=True)
        _tell(stack)
    finally:
        (OUT / "measured.json").write_text(json.dumps(vars(measured), indent=2), encoding="utf-8")
        if not only or "end" in only:
            stack.end(measured.images)
    return status


def _tell(stack: Stack) -> None:
    """Print what is not well, and write the containers' last words to the log."""
    for sentence in unwell(stack):
        print(f"    {sentence}", file=sys.stderr)
    stack.attempt(["docker", "compose", "logs", "--tail", "60"])


if __name__ == "__main__":
    main()
