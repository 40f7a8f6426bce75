"""Lighthouse's opinion of the pages: the least score of any page, on a phone and on a desk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mela.errors import MelaError
from mela.settings import REPOSITORY
from tests.web import chromium

CATEGORIES = ("accessibility", "best-practices")
FORMS: Mapping[str, tuple[str, ...]] = {"phone": (), "desk": ("--preset=desktop",)}
PACKAGE = REPOSITORY / "benchmarks" / "lighthouse"
KEPT = REPOSITORY / ".venv-peers" / "lighthouse"
NODE = REPOSITORY / "web" / "node.sh"
INSTALL_S, PAGE_S = 300.0, 120.0


def scores(url: str, cookie: str, paths: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the score, 0 to 100, that each page has in each category: category → page → score.

    url: of the application; cookie: of a session; paths: of the pages, each asked in both forms
    Raises MelaError where Lighthouse gives no score.
    """
    program = _installed()
    found: dict[str, dict[str, float]] = {category: {} for category in CATEGORIES}
    for path in paths:
        for form, flags in FORMS.items():
            report = _report(program, url + path, cookie, flags)
            shown = urlsplit(str(report["finalDisplayedUrl"])).path
            if shown != urlsplit(path).path:
                raise MelaError(f"expected Lighthouse to be shown {path}, but it saw {shown}")
            for category in CATEGORIES:
                score = report["categories"][category]["score"]
                if score is None:
                    raise MelaError(f"Lighthouse gave {path} no score of {category}")
                found[category][f"{path} ({form})"] = 100.0 * score
    return found


def _installed() -> Path:
    """Return Lighthouse's program, installed as benchmarks/lighthouse pins it."""
    program = KEPT / "node_modules" / "lighthouse" / "cli" / "index.js"
    lock, kept = PACKAGE / "package-lock.json", KEPT / "package-lock.json"
    if program.is_file() and kept.read_bytes() == lock.read_bytes():
        return program
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PACKAGE / name, KEPT / name)
    _node("npm", "ci", "--prefix", str(KEPT), "--loglevel=error", timeout_s=INSTALL_S)
    return program


def _report(program: Path, url: str, cookie: str, flags: Sequence[str]) -> dict[str, Any]:
    browser = chromium.find()
    with tempfile.TemporaryDirectory() as folder:
        headers, written = Path(folder) / "headers.json", Path(folder) / "report.json"
        headers.write_text(json.dumps({"Cookie": cookie}), encoding="utf-8")
        _node(
            "node",
            str(program),
            url,
            "--quiet",
            "--output=json",
            f"--output-path={written}",
            f"--only-categories={','.join(CATEGORIES)}",
            f"--extra-headers={headers}",
            "--chrome-flags=--headless=new --no-sandbox",  # whoever measures may be root
            *flags,
            timeout_s=PAGE_S,
            environment={"CHROME_PATH": str(browser.path), **browser.environment},
        )
        return json.loads(written.read_text(encoding="utf-8"))


def _node(*words: str, timeout_s: float, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        ["sh", str(NODE), *words],
        env={**os.environ, **(environment or {})},
        timeout=timeout_s,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MelaError(f"{words[0]} {Path(words[1]).name} failed: {done.stderr[-2000:]}")
