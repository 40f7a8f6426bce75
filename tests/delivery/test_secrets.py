"""No secret is committed, none is weak, and the example starts nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from mela.errors import StackFailed
from mela.settings import REPOSITORY
from stack.container import SECRETS, judge
from tests.delivery.conftest import make_environment
from tests.delivery.containers import COMPOSE, said

EXAMPLE = dotenv_values(REPOSITORY / ".env.example")


def test_the_example_has_every_secret_and_a_value_for_none() -> None:
    assert {key for key, value in EXAMPLE.items() if value == ""} == set(SECRETS)


def test_compose_asks_for_all_that_the_example_has_and_for_nothing_else() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    images = {name for name in asked if name.startswith("MELA_IMAGE_")}

    assert asked - images == {key for key, value in EXAMPLE.items() if value is not None}
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert all(f"# {name}\n" in text for name in images)


def test_compose_demands_each_secret_once_and_holds_none() -> None:
    """Once, so that a clone without .env gets a line for each secret and not for each use."""
    text = COMPOSE.read_text(encoding="utf-8")
    demanded = re.findall(
        r"(\w+): \$\{(\w+):\?run `sh stack/env.sh`, which writes it to \.env\}$", text, re.M
    )

    assert sorted(demanded) == sorted((key, key) for key in SECRETS)
    for line in text.splitlines():
        if re.search(r"(PASSWORD|SECRET|KEY)\w*: ", line):
            assert re.search(r": \$\{\w+:[-?]", line), line
            assert re.search(r": \$\{\w+:-\}$", line) or ":?" in line, line


def test_env_is_for_its_owner_only_and_for_no_commit_and_no_image(tmp_path: Path) -> None:
    make_environment(tmp_path)

    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert said("git", "check-ignore", "-q", ".env", cwd=REPOSITORY).returncode == 0
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert not any(line.startswith("!.env") for line in ignored)


def test_what_env_sh_makes_is_good_enough(environment: dict[str, str]) -> None:
    judge(environment)


def test_two_environments_share_no_secret(environment: dict[str, str], tmp_path: Path) -> None:
    other = make_environment(tmp_path)

    assert not {environment[key] for key in SECRETS} & {other[key] for key in SECRETS}


def test_a_second_run_keeps_what_is_set_and_adds_what_is_new(tmp_path: Path) -> None:
    first = make_environment(tmp_path)
    kept = "MELA_PORT_MLFLOW=5001\nMELA_POSTGRES__PASSWORD=mine-since-years\nMELA_SPARK__SECRET=\n"
    (tmp_path / ".env").write_text(kept, encoding="utf-8")
    second = make_environment(tmp_path)

    assert second["MELA_PORT_MLFLOW"] == "5001"
    assert second["MELA_POSTGRES__PASSWORD"] == "mine-since-years"
    assert len(second["MELA_SPARK__SECRET"]) == 44
    assert set(second) == set(first)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("MELA_POSTGRES__PASSWORD", "", "MELA_POSTGRES__PASSWORD has fewer than 16 characters"),
        ("MELA_POSTGRES__PASSWORD", "a-short-one", "has fewer than 16 characters"),
        ("MELA_SPARK__SECRET", "x" * 40, "or 8 different ones"),
        ("MELA_SPARK__SECRET", "p@ss/word:with#all%20", "has other characters than A-Z"),
        ("MELA_STACK_AIRFLOW_FERNET_KEY", "abcdefghijklmnop", "is not 32 bytes in URL-safe base64"),
    ],
)
def test_a_weak_secret_is_refused_by_name(
    key: str, value: str, why: str, environment: dict[str, str]
) -> None:
    with pytest.raises(StackFailed, match=why):
        judge({**environment, key: value})


def test_one_secret_for_two_doors_is_refused(environment: dict[str, str]) -> None:
    same = environment["MELA_SPARK__SECRET"]
    with pytest.raises(StackFailed, match="two of them are the same"):
        judge({**environment, "MELA_POSTGRES__PASSWORD": same})


def test_the_container_that_judges_ends_with_1_and_one_sentence(
    environment: dict[str, str],
) -> None:
    words = (sys.executable, "-m", "stack.container", "secrets")
    given = {**environment, "PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"}

    assert said(*words, env=given, cwd=REPOSITORY).returncode == 0
    refused = said(*words, env={**given, "MELA_AIRFLOW__PASSWORD": "admin"}, cwd=REPOSITORY)
    assert refused.returncode == 1
    assert refused.stderr.startswith("MELA_AIRFLOW__PASSWORD has fewer than 16 characters")
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"MELA_MLFLOW__PASSWORD": "short"}, "MELA_MLFLOW__PASSWORD has fewer than 16 characters"),
        ({"MELA_STACK_MLFLOW_JOB_PASSWORD": "same"}, "two of them are the same"),
        ({"MELA_STACK_SECURE": "false"}, "MELA_STACK_SECURE is 'false'"),
    ],
)
def test_a_container_listens_beyond_loopback_with_good_secrets_only(
    changed: dict[str, str], why: str, environment: dict[str, str]
) -> None:
    """Each container judges what it was given, also where nobody started `secrets` before."""
    same = environment["MELA_STACK_MLFLOW_ADMIN_PASSWORD"]
    given = {**environment, "MELA_STACK_SECURE": "true", "HOME": "/nonexistent"}
    changed = {key: same if value == "same" else value for key, value in changed.items()}
    words = (sys.executable, "-m", "stack.container", "serve", "mlflow")
    done = said(*words, env={**given, **changed, "PYTHONPATH": str(REPOSITORY)}, cwd=REPOSITORY)

    assert done.returncode == 1
    assert why in done.stderr
    assert "sh stack/env.sh" in done.stderr
    assert "Traceback" not in done.stderr
