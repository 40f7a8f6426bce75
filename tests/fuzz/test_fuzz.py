"""A short fuzz of every parser, from the corpus that longer ones have left."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mela.settings import REPOSITORY

TARGETS = {"scene", "chunk", "results", "progress", "scene_text", "candle_file", "instant"}


def test_no_parser_raises_anything_but_its_refusal(tmp_path: Path) -> None:
    options = ["-runs=600", "-seed=7", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "all", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=240,
        check=False,
    )

    kept = [path.read_bytes() for path in tmp_path.iterdir()]
    assert done.returncode == 0, f"{kept}\n{done.stdout[-500:]}\n{done.stderr[-3000:]}"
    assert set(re.findall(r"== (\w+)", done.stdout)) == TARGETS
    began = [int(count) for count in re.findall(r"INITED cov: (\d+)", done.stderr)]
    ended = [int(count) for count in re.findall(r"DONE\s+cov: (\d+)", done.stderr)]
    assert len(began) == len(ended) == len(TARGETS)
    assert sum(ended) > sum(began) + 50, "coverage guided nothing"
