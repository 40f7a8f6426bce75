"""Prometheus' and Grafana's files: valid, mounted, and about metrics that Mela has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mela.settings import REPOSITORY
from services.monitoring.all_metrics import EXPORTED
from stack import container_files, guard
from stack.container import site
from tests.delivery.containers import environment_of, said

FOLDER = REPOSITORY / "stack" / "monitoring"
ALERTS = FOLDER / "alerts.yml"
BOARDS = ("dashboard.json", "trading.json")
KNOWN = {name for one in EXPORTED for name in one.samples}
_NAME = re.compile(r"\b(mela_\w+)\b")
_LABEL = re.compile(r"\{\{\s*\$?(?:labels\.)?(\w+)\s*\}\}")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for board in BOARDS for panel in panels_of(board)]


def panels_of(board: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / board).read_text(encoding="utf-8"))["panels"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_about_metrics_that_there_are(rule: dict[str, Any]) -> None:
    names = set(_NAME.findall(rule["expr"]))
    assert names, rule["expr"]
    assert names <= KNOWN
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}
    used = set(_LABEL.findall(" ".join(rule["annotations"].values()))) - {"value"}
    of_metric = {label for one in EXPORTED if names & set(one.samples) for label in one.labels}
    assert used <= of_metric


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_is_about_metrics_that_there_are(panel: dict[str, Any]) -> None:
    assert panel["datasource"]["uid"] == _datasource()["uid"]
    for target in panel["targets"]:
        names = set(_NAME.findall(target["expr"]))
        assert names, target
        assert names <= KNOWN, target
        of_metric = {label for one in EXPORTED if names & set(one.samples) for label in one.labels}
        assert set(_LABEL.findall(target["legendFormat"])) <= of_metric


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in _NAME.findall(target["expr"])
    }
    assert {name for name in KNOWN if name not in shown} == set()


@pytest.mark.parametrize("board", BOARDS)
def test_panels_do_not_lie_on_each_other(board: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels_of(board):
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels_of(board)}) == len(panels_of(board))


@pytest.mark.nightly
def test_prometheus_itself_reads_the_rules(rules_go: Path | None) -> None:
    if rules_go is None:
        return  # the summary says so
    done = said(str(rules_go), str(ALERTS))
    assert done.returncode == 0, done.stderr


@pytest.mark.nightly
def test_prometheus_itself_refuses_a_wrong_rule(rules_go: Path | None, tmp_path: Path) -> None:
    if rules_go is None:
        return
    wrong = tmp_path / "alerts.yml"
    text = ALERTS.read_text(encoding="utf-8")
    wrong.write_text(text.replace("mela_query_stuck == 1", "mela_query_stuck == ", 1))
    done = said(str(rules_go), str(wrong))
    assert done.returncode == 1
    assert "MelaQueryStuck" in done.stderr


READ = Path("/etc/mela")  # where the containers find what `files` laid


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the container `files` lays for Prometheus and Grafana."""
    monkeypatch.setenv("MELA_HOME", str(tmp_path))
    monkeypatch.setenv(guard.SECURE, "true")
    for name in (container_files.SETTINGS, container_files.AUTHORITY, container_files.MONITORING):
        (tmp_path / name).mkdir()
    container_files.lay(site())
    return tmp_path / container_files.MONITORING


def test_the_profile_gives_each_program_its_files(project: dict[str, Any], laid_out: Path) -> None:
    for name in ("prometheus", "grafana"):
        one = project["services"][name]
        assert one["profiles"] == ["monitoring"]
        assert f"monitoring:{READ}:ro,nocopy" in one["volumes"]
        assert "configs" not in one  # a clone under a strict umask would be mounted unreadable
    given = environment_of(project["services"]["grafana"])
    provided = here(given["GF_PATHS_PROVISIONING"], laid_out)
    [source] = (provided / "datasources").iterdir()
    assert yaml.safe_load(source.read_text(encoding="utf-8"))["datasources"]
    [file] = (provided / "dashboards").iterdir()
    [provider] = yaml.safe_load(file.read_text(encoding="utf-8"))["providers"]
    boards = here(provider["options"]["path"], laid_out)
    assert {board.name for board in boards.iterdir()} == set(BOARDS)
    assert here(given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"], laid_out).is_file()
    [option] = [
        word
        for word in project["services"]["prometheus"]["command"]
        if word.startswith("--config.file=")
    ]
    config = here(option.partition("=")[2], laid_out)
    rules = yaml.safe_load(config.read_text(encoding="utf-8"))["rule_files"]
    assert rules
    assert all((config.parent / rule).is_file() for rule in rules)


def here(inside: str, laid_out: Path) -> Path:
    return laid_out / Path(inside).relative_to(READ)


def test_prometheus_reads_where_the_monitor_serves(project: dict[str, Any]) -> None:
    read = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = read["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    given = environment_of(project["services"]["monitor"])
    assert given["MELA_MONITOR__METRICS_URL"] == f"http://{target}/metrics"
    assert _datasource()["url"] == "http://prometheus:9090"


def test_grafana_has_no_account_that_somebody_could_guess(project: dict[str, Any]) -> None:
    given = environment_of(project["services"]["grafana"])
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert given["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def _datasource() -> dict[str, Any]:
    [found] = yaml.safe_load((FOLDER / "datasource.yml").read_text(encoding="utf-8"))["datasources"]
    return found
