from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from mela.settings import Settings
from stack import environment


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MELA_REPLAY_URL", raising=False)
    monkeypatch.delenv("MELA_KAFKA__BROKERS", raising=False)


@pytest.mark.parametrize("value", ["plain", "a b", "it's", "back\\slash", "$HOME", "a#b", "a,b"])
def test_what_is_kept_is_read_back_as_it_was(tmp_path: Path, value: str) -> None:
    environment.update(tmp_path, {"MELA_STACK_X": value})

    assert environment.read(tmp_path) == {"MELA_STACK_X": value}


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    environment.update(tmp_path, {"MELA_POSTGRES__PASSWORD": "hush"})

    assert stat.S_IMODE((tmp_path / "stack.env").stat().st_mode) == 0o600


def test_settings_follow_stack_env(tmp_path: Path) -> None:
    before = Settings(home=tmp_path)
    environment.update(tmp_path, {"MELA_KAFKA__BROKERS": "127.0.0.1:20001"})

    assert environment.fresh(before).kafka.brokers == "127.0.0.1:20001"


def test_what_was_asked_for_survives_a_fresh_read(tmp_path: Path) -> None:
    environment.update(tmp_path, {"MELA_KAFKA__BROKERS": "127.0.0.1:20001"})
    asked = Settings(home=tmp_path, mlflow_top=3, kafka={"partitions": 7})

    fresh = environment.fresh(asked)

    assert (fresh.mlflow_top, fresh.kafka.partitions) == (3, 7)
    assert fresh.kafka.brokers == "127.0.0.1:20001"


def test_children_are_told_what_was_asked_for_and_no_secret(tmp_path: Path) -> None:
    environment.update(tmp_path, {"MELA_POSTGRES__PASSWORD": "hush"})
    asked = Settings(home=tmp_path, mlflow_top=3, kafka={"partitions": 7})

    told = environment.explicit_settings(environment.fresh(asked))

    assert told["MELA_MLFLOW_TOP"] == "3"
    assert told["MELA_KAFKA__PARTITIONS"] == "7"
    assert "MELA_POSTGRES__PASSWORD" not in told


def test_clients_can_be_pointed_at_a_replay_and_back(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    environment.set_replay(settings, "http://127.0.0.1:20002")
    offline = environment.fresh(settings)
    environment.set_replay(offline, None)

    assert offline.replay_url == "http://127.0.0.1:20002"
    assert environment.fresh(offline).replay_url is None


def test_children_are_told_a_secret_that_is_kept_nowhere_and_several_values_as_json(
    tmp_path: Path,
) -> None:
    url, seconds = "https://hooks.example.org/a-token", {"binance:BTCUSDT": "kraken:BTC/USD"}
    asked = Settings(home=tmp_path, alert_webhook=SecretStr(url), second_sources=seconds)

    told = environment.explicit_settings(environment.fresh(asked))

    assert told["MELA_ALERT_WEBHOOK"] == url
    assert json.loads(told["MELA_SECOND_SOURCES"]) == seconds
