from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from cli.main import app
from mela.errors import SettingsInvalid
from mela.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("MELA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MELA_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MELA_KAFKA__PARTITIONS", "x", " of the environment must be a whole number, but is 'x'. "),
        ("MELA_KAFKA__PARTITIONS", "0", " must be 1 or more, but is '0'. "),
        ("MELA_MAX_RUNS", "many", " must be a whole number, but is 'many'. "),
        ("MELA_SPARK__RUN_LIMIT_S", "soon", " must be a number, but is 'soon'. "),
        ("MELA_SPARK__RUN_LIMIT_S", "0", " must be more than 0.0, but is '0'. "),
        ("MELA_JAVA", "none", " must be 'auto' or 'bundled', but is 'none'. "),
        ("MELA_CANDLES", "", " must not be empty, but is ''. "),
        ("MELA_KAFKA", "x", " must be JSON, or its parts, as MELA_KAFKA__BROKERS. "),
        ("MELA_SECOND_SOURCES", "x", " must be JSON. "),
        ("MELA_SECOND_SOURCES", '{"a": 1}', ", entry 'a', must be a text, but is '1'. "),
        (
            "MELA_POSTGRES",
            '{"port": "x"}',
            "__PORT of the environment must be a whole ",
        ),
    ],
)
def test_a_wrong_variable_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as refused:
        Settings()

    assert str(refused.value).startswith(name)
    assert sentence in str(refused.value)
    assert "docs/reference/settings.md" in str(refused.value)
    assert "\n" not in str(refused.value)


FREE = ("Path", "str | None", "tuple[str", "tuple[pydantic.types.SecretStr")  # any text is a value


def fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind, (*path, name))
        elif kind is not str and not any(free in str(kind) for free in FREE):
            yield (*path, name)


def test_every_setting_of_a_kind_names_its_variable_and_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every setting that is not free text, at once: a list is no value of any."""
    wrong: dict[str, object] = {}
    for path in fields(Settings):
        at = wrong
        for part in path[:-1]:
            at = at.setdefault(part, {})  # pyright: ignore[reportAssignmentType]
        at[path[-1]] = ["hush-hush" if "password" in path or "secret" in path else "x"]

    with pytest.raises(SettingsInvalid) as refused:
        Settings(**wrong)

    told = str(refused.value)
    for path in fields(Settings):
        assert f"MELA_{'__'.join(path).upper()} (an argument, or in " in told
    assert "hush-hush" not in told


def test_a_wrong_line_of_stack_env_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("MELA_POSTGRES__PORT='fast'\n", encoding="utf-8")

    with pytest.raises(SettingsInvalid) as refused:
        Settings()

    assert str(refused.value).startswith(
        f"MELA_POSTGRES__PORT (an argument, or in {tmp_path}/stack.env) must be a whole number"
    )


def test_a_command_tells_it_and_exits_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELA_KAFKA__PARTITIONS", "x")

    done = CliRunner().invoke(app, ["status"])

    assert done.exit_code == 2
    assert "MELA_KAFKA__PARTITIONS of the environment must be a whole number" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.org/x", "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/x"],
)
def test_alerts_go_out_encrypted_or_stay_on_this_machine(url: str) -> None:
    assert Settings(alert_webhook=SecretStr(url)).alert_webhook == SecretStr(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/a-token",
        "http://127.0.0.1.example.org/a-token",
        "ftp://localhost/a-token",
        "a-token",
    ],
)
def test_another_webhook_is_refused_without_telling_its_secret(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="expected https://") as refused:
        Settings(alert_webhook=SecretStr(url))
    assert "a-token" not in str(refused.value)
