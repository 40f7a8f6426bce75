"""What is wrong with a page, as the browser and axe see it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

from mela.settings import REPOSITORY

AXE = REPOSITORY / "web" / "node_modules" / "axe-core" / "axe.min.js"
COLOURS = '{type: "rule", values: ["color-contrast", "link-in-text-block"]}'
RUN = """
axe.run(document, {resultTypes: ["violations"], %s}).then((found) => JSON.stringify(
  found.violations.map(({id, nodes}) => ({id, nodes: nodes.map((node) => [
    node.target.join(" "), node.failureSummary])}))))
"""


@lru_cache(maxsize=1)
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def violations(page: Page, *, only_colours: bool = False) -> list[dict[str, Any]]:
    """Return what axe finds. It runs in a world of its own, as the page's policy forbids eval.

    only_colours: apply only the rules that depend on colours
    """
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
    place = {"contextId": world["executionContextId"]}
    known = session.send("Runtime.evaluate", {"expression": "typeof axe", **place})
    if known["result"]["value"] == "undefined":  # the world stays as long as the page
        session.send("Runtime.evaluate", {"expression": _axe(), **place})
    run = RUN % (f"runOnly: {COLOURS}" if only_colours else "")
    found = session.send(
        "Runtime.evaluate",
        {"expression": run, "awaitPromise": True, "returnByValue": True, **place},
    )
    session.detach()
    assert "value" in found["result"], found
    return json.loads(found["result"]["value"])


def too_wide(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return max(0, page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


class Complaints(list[str]):
    """What the browser complains of: errors of scripts, of the policy, of answers."""

    def listen(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.append(f"{message.text} {message.location.get('url', '')}")
