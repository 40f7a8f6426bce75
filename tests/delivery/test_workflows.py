"""Every workflow: valid, bounded, least permissions, pinned actions, our own commands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mela.settings import REPOSITORY
from tests.delivery.containers import program, said

GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
OTHERS = {
    GITHUB / "dependabot.yml": "vendor.dependabot",
    GITHUB / "ISSUE_TEMPLATE" / "wrong.yml": "vendor.github-issue-forms",
    GITHUB / "ISSUE_TEMPLATE" / "wish.yml": "vendor.github-issue-forms",
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": "vendor.github-issue-config",
    REPOSITORY / "docker-compose.yml": "vendor.compose-spec",
}
# What a job may do beyond reading the code it is given; the comment on a pull request needs it.
MAY_WRITE = {"cml.yml": {"pull-requests"}}

every = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


def parsed(file: Path) -> dict[str, Any]:
    # BaseLoader: YAML's own `on` is a boolean, GitHub's a word
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in parsed(file)["jobs"].values() for step in job.get("steps", [])]


def by_schema(name: str, *files: Path) -> None:
    words = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", name)
    done = said(*words, *map(str, files))
    assert done.returncode == 0, done.stdout


def test_workflows_are_valid_by_their_schema_and_bounded_in_time() -> None:
    by_schema("vendor.github-workflows", *WORKFLOWS)
    by_schema("custom.github-workflows-require-timeout", *WORKFLOWS)


@pytest.mark.parametrize(("file", "name"), OTHERS.items(), ids=lambda part: Path(part).name)
def test_what_github_and_compose_read_is_valid_by_its_schema(file: Path, name: str) -> None:
    by_schema(name, file)


@pytest.mark.nightly
def test_actionlint_finds_nothing(actionlint: Path | None) -> None:
    if actionlint is None:
        return  # the summary says so; schemas, zizmor and the rules below look at the same files
    beside = f"{Path(program('shellcheck')).parent}:{os.environ['PATH']}"  # it asks shellcheck too
    done = said(str(actionlint), *map(str, WORKFLOWS), env={**os.environ, "PATH": beside})

    assert (done.returncode, done.stdout) == (0, "")


def test_zizmor_finds_no_way_in() -> None:
    done = said(program("zizmor"), "--offline", "--no-progress", str(GITHUB))

    assert done.returncode == 0, done.stdout


@every
def test_a_stranger_s_pull_request_gets_nothing_of_ours(file: Path) -> None:
    found = parsed(file)
    triggers = found["on"] if isinstance(found["on"], dict) else {found["on"]: None}

    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers)
    assert found["permissions"] in ({}, {"contents": "read"}, "")
    for job in found["jobs"].values():
        allowed = job["permissions"]
        writes = {key for key, value in allowed.items() if value != "read"}
        assert writes <= MAY_WRITE.get(file.name, set()), writes


@every
def test_every_action_is_pinned_by_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)

    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+){0,2}", one), one


def test_an_action_is_the_same_commit_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for file in WORKFLOWS:
        for name, commit in re.findall(r"uses: ([^@]+)@(\w+)", file.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(commit)

    assert {name: commits for name, commits in found.items() if len(commits) > 1} == {}


@every
def test_a_newer_push_ends_the_older_one_s_run(file: Path) -> None:
    concurrency = parsed(file)["concurrency"]

    assert "github.ref" in concurrency["group"] or "github.event" in concurrency["group"]
    assert concurrency["cancel-in-progress"] != "false"


@every
def test_the_code_that_is_checked_out_keeps_no_token(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@every
def test_what_a_stranger_writes_is_never_part_of_a_command(file: Path) -> None:
    for step in steps(file):
        assert not re.search(r"\$\{\{\s*(github\.(event|head_ref)|inputs)", step.get("run", ""))


@pytest.mark.parametrize("name", ["tests.yml", "audit.yml", "nightly.yml"])
def test_a_workflow_runs_what_anybody_can_run(name: str) -> None:
    commands = [step["run"] for step in steps(GITHUB / "workflows" / name) if "run" in step]
    matrix = parsed(GITHUB / "workflows" / name)["jobs"].get("check", {})
    commands += [
        one["run"] for one in matrix.get("strategy", {}).get("matrix", {}).get("include", [])
    ]

    for command in (one for one in commands if one != "${{ matrix.run }}"):
        words = command.split()
        assert words[0] == "make"
        assert re.search(rf"^{words[1]}:", MAKEFILE, re.MULTILINE), command


def test_all_tests_are_run_by_one_job_or_another() -> None:
    commands = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")

    assert """make test ARGS="-m ''not integration and not nightly''""" in commands
    assert """make test ARGS="-m ''integration and not nightly''""" in commands
    nightly = (GITHUB / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    assert """make test ARGS="-m nightly""" in nightly


def test_all_tests_run_on_each_python_that_mela_runs_on() -> None:
    setup = (REPOSITORY / "stack" / "setup.sh").read_text(encoding="utf-8")
    versions = re.findall(r'^VERSIONS="([\d. ]+)"', setup, re.MULTILINE)[0].split()
    job = parsed(GITHUB / "workflows" / "tests.yml")["jobs"]["check"]
    found = [(one["name"], one["python"]) for one in job["strategy"]["matrix"]["include"]]

    assert len(found) == len(set(found))
    for name in ("units", "integration"):
        assert {python for kind, python in found if kind == name} == set(versions)
    # the runner has newer ones, which `make setup` would prefer
    assert job["env"]["PYTHON"] == "python${{ matrix.python }}"
    (setup_python,) = [
        step for step in job["steps"] if "actions/setup-python" in step.get("uses", "")
    ]
    assert setup_python["with"]["python-version"] == "${{ matrix.python }}"


def test_hooks_are_valid_and_programs_of_this_environment(tmp_path: Path) -> None:
    file = REPOSITORY / ".pre-commit-config.yaml"
    done = said(sys.executable, "-m", "pre_commit", "validate-config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr

    (only,) = yaml.safe_load(file.read_text(encoding="utf-8"))["repos"]
    assert only["repo"] == "local"  # nothing is fetched from elsewhere
    for hook in only["hooks"]:
        place = Path(hook["entry"].split()[0])
        assert place.parent == Path(".venv/bin"), hook["id"]
        assert program(place.name), hook["id"]


@pytest.mark.parametrize("hook", ["hadolint", "workflows-security", "ruff-check"])
def test_a_hook_passes_on_what_is_committed(hook: str, tmp_path: Path) -> None:
    """Its command as it stands, on the files that its pattern names."""
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (found,) = [one for one in config["repos"][0]["hooks"] if one["id"] == hook]
    words = found["entry"].split()
    files = {
        "hadolint": ["Dockerfile"],
        "workflows-security": [str(one.relative_to(REPOSITORY)) for one in WORKFLOWS],
        "ruff-check": ["stack/container.py", "stack/cluster.py"],
    }[hook]
    done = said(program(Path(words[0]).name), *words[1:], *files, cwd=REPOSITORY)

    assert done.returncode == 0, done.stdout + done.stderr


def test_shell_scripts_are_sound() -> None:
    scripts = sorted((REPOSITORY / "stack").glob("*.sh"))
    done = said(program("shellcheck"), "--severity=warning", *map(str, scripts))

    assert (done.returncode, done.stdout) == (0, "")
