"""A machine without a browser gets one from npm, and it works."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.web import chromium
from tests.web.conftest import open_browser


def test_the_browser_of_the_machine_is_taken_first(tmp_path: Path) -> None:
    mine = tmp_path / "chromium"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)

    assert chromium.find(str(tmp_path)) == chromium.Program(mine)


def test_other_tests_can_run_an_event_loop_once_the_browser_is_closed() -> None:
    with ExitStack() as running:
        assert open_browser(running).is_connected()
        waiting = asyncio.sleep(0, "never")
        with pytest.raises(RuntimeError, match="running event loop"):
            asyncio.run(waiting)
        waiting.close()
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"


@pytest.mark.nightly  # 75 MB are installed, 200 MB unpacked
def test_a_machine_without_one_gets_one_that_shows_a_page(tmp_path: Path) -> None:
    found = chromium.find(str(tmp_path))
    assert found.path.is_relative_to(chromium.KEPT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(found.path),
            args=["--no-sandbox"],
            env={**os.environ, **found.environment},
        )
        page = browser.new_page()
        page.set_content("<h1>here</h1>")
        assert page.get_by_role("heading", name="here").is_visible()
        browser.close()
