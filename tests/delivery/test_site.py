"""The site of the docs: built without a warning, whole, current, and asking nobody."""

from __future__ import annotations

import doctest
import importlib.util
import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
import yaml

from cli.scene_file import read_scene
from mela.errors import SceneInvalid
from mela.schemas import DOCUMENTS, Document, json_schema
from mela.settings import REPOSITORY, Settings
from tests.delivery.containers import said
from tests.warehouse.given import a_document, a_run

DOCS = REPOSITORY / "docs"
PAGES = [page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md"))]
OF_THE_ROOT = ["contributing.md", "changelog.md"]
SCENES = sorted((DOCS / "scenes").glob("*.yaml"))


class Page(HTMLParser):
    """What a built page has: anchors to jump to, links to follow, and what it loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {key: value or "" for key, value in attrs}
        self.ids |= {has[key] for key in ("id", "name") if key in has}
        self.classes |= set(has.get("class", "").split())
        if tag == "a" and "href" in has:
            self.links.add(has["href"])
        elif tag != "a":
            self.loads |= {
                has[key] for key in ("src", "href", "srcset", "data", "action") if key in has
            }
            self.loads |= set(re.findall(r"url\(([^)]*)\)", has.get("style", "")))


def hook(name: str) -> ModuleType:
    """Return a part of what builds the site; as MkDocs does, with its folder to import from."""
    spec = importlib.util.spec_from_file_location(f"docs_site_{name}", DOCS / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(DOCS / "site"))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once as `make docs` does; a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    words = (sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder))
    told = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"}
    done = said(*words, env=told, cwd=REPOSITORY)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def built(site: Path) -> dict[str, Page]:
    """Return every page of the site by its path."""
    pages = sorted(site.rglob("*.html"))
    return {
        page.relative_to(site).as_posix(): Page(page.read_text(encoding="utf-8")) for page in pages
    }


def html_of(page: str) -> str:
    return re.sub(r"(README|index)\.md$", "index.md", page).removesuffix(".md") + ".html"


def test_a_warning_is_an_error_and_nothing_is_left_unchecked() -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    told = yaml.load(text.replace("!!python/object/apply:", "#"), Loader=yaml.BaseLoader)  # noqa: S506

    assert told["strict"] == "true"
    assert {level for part in told["validation"].values() for level in part.values()} == {"warn"}
    assert {"not_found", "anchors", "unrecognized_links"} <= told["validation"]["links"].keys()


def test_every_page_is_in_the_navigation(built: dict[str, Page]) -> None:
    reached = {unquote(urlsplit(link).path) for link in built["index.html"].links}

    missing = {html_of(page) for page in PAGES + OF_THE_ROOT} - reached - {"index.html"}
    assert missing == set()


def test_every_link_and_anchor_leads_somewhere(site: Path, built: dict[str, Page]) -> None:
    broken: list[str] = []
    for name, page in built.items():
        if name == "404.html":  # it is shown in place of any page: its links are from the root
            continue
        for link in page.links | page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            path = os.path.relpath(target.resolve(), site.resolve())
            if not target.is_file() or (
                parts.fragment and path in built and unquote(parts.fragment) not in built[path].ids
            ):
                broken.append(f"{name}: {link}")
    assert broken == []


def test_no_page_asks_another_host_for_anything(site: Path, built: dict[str, Page]) -> None:
    for name, page in built.items():
        assert {one for one in page.loads if urlsplit(one).netloc} == set(), name
        assert "mermaid" not in page.classes, name  # the theme would fetch what draws it
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), style.name


def test_a_browser_finds_words_from_the_disk_and_asks_no_host(site: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return  # the pages were read as they are, by the test above
    log = tmp_path / "asked.json"
    done = said(
        *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"),
        *("--virtual-time-budget=15000", "--dump-dom", f"file://{site}/index.html?q=holdout"),
    )

    assert re.search(r"[1-9]\d* matching documents", done.stdout)
    events = [one.get("params", {}) for one in json.loads(log.read_text("utf-8"))["events"]]
    # what a page of the disk asks for has the initiator "null"; the browser itself is none
    asked = [one["url"] for one in events if one.get("initiator") == "null"]
    assert [url for url in asked if not url.startswith("file:")] == []


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_schema_on_the_site_is_the_code_s(what: Document, site: Path) -> None:
    text = (site / "reference" / f"{what}.schema.json").read_text(encoding="utf-8")

    assert json.loads(text) == json_schema(what)


def test_the_reference_is_current() -> None:
    for name, text in hook("reference").files().items():
        kept = (DOCS / "reference" / name).read_text(encoding="utf-8")
        assert kept == text, f"docs/reference/{name} is not what the models say; run `make docs`"
    columns = hook("metric_columns")
    for name, text in columns.files().items():
        kept = (columns.DBT / name).read_text(encoding="utf-8")
        assert kept == text, (
            f"dbt/{name} does not list the metrics of the registry; run `make docs`"
        )
    picture = (DOCS / "pictures" / "star.svg").read_text(encoding="utf-8")
    assert picture == hook("star").drawing(), (
        "docs/pictures/star.svg is not its page's; `make docs`"
    )


@pytest.mark.parametrize("name", ["scene", "result", "settings"])
def test_every_field_has_a_sentence(name: str) -> None:
    text = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `\w+` \|.*", text, re.MULTILINE)

    assert len(rows) > 20
    assert [row for row in rows if row.rstrip("| ").endswith(("required", "`null`"))] == []
    assert [row for row in rows if not row.split(" | ")[-1].rstrip(" |")] == []


@pytest.mark.parametrize("file", SCENES, ids=lambda file: file.stem)
def test_a_scene_of_the_docs_is_on_the_site_and_valid_by_the_schema(file: Path, site: Path) -> None:
    assert (site / "scenes" / file.name).read_bytes() == file.read_bytes()
    assert f"](scenes/{file.name})" in (DOCS / "scenes.md").read_text(encoding="utf-8")
    # as text: a JSON document has its instants as strings
    document = yaml.load(file.read_text(encoding="utf-8"), Loader=_AsJson)  # noqa: S506
    jsonschema.validate(document, json_schema("scene"))


class _AsJson(yaml.SafeLoader):
    """YAML's values as JSON has them."""


_AsJson.yaml_implicit_resolvers = {
    sign: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for sign, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

LEAST: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"cash": 0},
        {"money": 5},
        {"exits": {"time_stop_bars": 0}},
        {"search": {"kind": "random", "trials": 0, "space": {"cash": [1]}}},
        {"sizing": {"kind": "all of it"}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_model_refuses(wrong: dict[str, Any]) -> None:
    jsonschema.validate(LEAST, json_schema("scene"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**LEAST, **wrong}, json_schema("scene"))


def test_a_result_is_valid_by_its_schema() -> None:
    document = a_document(a_run(), "0b6f1f0e-0000-4000-8000-000000000000")

    jsonschema.validate(document, json_schema("result"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "status": "fine"}, json_schema("result"))


@pytest.mark.parametrize("page", ["api/mela.md", "api/backtests.md"])
def test_every_example_of_the_api_holds(page: str) -> None:
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8")

    assert (failed, tried > 5) == (0, True)


@pytest.mark.parametrize("name", ["dialect", "docstrings", "outside"])
def test_what_builds_the_site_does_what_its_docstrings_say(name: str) -> None:
    failed, tried = doctest.testmod(hook(name))

    assert (failed, tried > 0) == (0, True)


WRONG = {
    "`fast: 200` beside `slow: 100`": ("fast: 20", "fast: 200"),
    "`cash: -5`": ("cash: 10000", "cash: -5"),
    "`money: 5`": ("cash: 10000", "money: 5"),
    "`name: sma_crossed`": ("name: sma_cross", "name: sma_crossed"),
}


@pytest.mark.parametrize("told", WRONG)
def test_what_is_wrong_is_answered_as_getting_started_says(told: str, tmp_path: Path) -> None:
    page = (DOCS / "getting-started.md").read_text(encoding="utf-8")
    [answer] = re.findall(rf"^\| {re.escape(told)} \| (.*) \|$", page, re.MULTILINE)
    file = tmp_path / "wrong.yaml"
    scene = (DOCS / "scenes" / "first.yaml").read_text(encoding="utf-8")
    file.write_text(scene.replace(*WRONG[told]), encoding="utf-8")

    with pytest.raises(SceneInvalid) as refused:
        read_scene(file, Settings(home=tmp_path))
    assert f"[{refused.value.code}] {refused.value}".startswith(answer.removesuffix("…"))


def test_code_in_a_list_and_folds_are_read_as_code_hosts_read_them(site: Path) -> None:
    search = (site / "search.html").read_text(encoding="utf-8")
    report = (site / "compare" / "report.html").read_text(encoding="utf-8")

    assert "```" not in search
    assert "```" not in report
    folded = report.partition("<details")[2].partition("</details>")[0]
    assert "<table>" in folded


def test_public_functions_are_told_with_their_arguments(site: Path) -> None:
    page = (site / "api" / "backtests.html").read_text(encoding="utf-8")

    assert 'id="backtests.simulate.run_all"' in page
    assert "<strong>with_curve</strong>: give trades and equity too" in page
