from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mela.errors import StackFailed
from mela.settings import Settings
from stack import addresses, environment, ports


@pytest.fixture
def occupied() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _heard(said: list[tuple[str, str]]):
    return lambda service, sentence: said.append((service, sentence))


def test_an_occupied_port_is_not_free(occupied: int) -> None:
    assert not ports.is_free(occupied)
    assert not ports.is_usable(occupied, "/another/home")


def test_a_chosen_port_is_free_and_below_the_ephemeral_ones() -> None:
    port = ports.choose(())

    assert ports.is_free(port)
    assert port < 32_768


def test_addresses_and_secrets_stay_as_first_chosen(tmp_path: Path) -> None:
    first = addresses.allocate(Settings(home=tmp_path), {"kafka"}, _heard([]))
    again = addresses.allocate(Settings(home=tmp_path), {"kafka"}, _heard([]))

    assert again.kept == first.kept
    assert len(first.settings.postgres.password.get_secret_value()) >= 24


def test_two_homes_share_no_port_and_no_secret(tmp_path: Path) -> None:
    one = addresses.allocate(Settings(home=tmp_path / "one"), (), _heard([])).kept
    two = addresses.allocate(Settings(home=tmp_path / "two"), (), _heard([])).kept

    own = {key for key in one if "PORT" in key or "URL" in key or "BROKERS" in key}
    secret = {key for key in one if "PASSWORD" in key or "SECRET" in key or "FERNET" in key}
    assert len(own) >= 5
    assert len(secret) >= 7
    assert all(one[key] != two[key] for key in own | secret)


def test_a_kept_port_that_a_stranger_took_moves_and_says_so(tmp_path: Path, occupied: int) -> None:
    environment.update(tmp_path, {"MELA_KAFKA__BROKERS": f"127.0.0.1:{occupied}"})
    said: list[tuple[str, str]] = []

    site = addresses.allocate(Settings(home=tmp_path), {"kafka"}, _heard(said))

    assert site.settings.kafka.brokers != f"127.0.0.1:{occupied}"
    ((service, sentence),) = said
    assert service == "kafka"
    assert f"port {occupied} is taken" in sentence


def test_a_port_of_a_service_that_is_not_started_does_not_move(
    tmp_path: Path, occupied: int
) -> None:
    environment.update(tmp_path, {"MELA_KAFKA__BROKERS": f"127.0.0.1:{occupied}"})

    site = addresses.allocate(Settings(home=tmp_path), {"postgres"}, _heard([]))

    assert site.settings.kafka.brokers == f"127.0.0.1:{occupied}"


def test_a_port_that_the_environment_asks_for_is_never_replaced(
    tmp_path: Path, occupied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_POSTGRES__PORT", str(occupied))

    with pytest.raises(StackFailed, match=f"MELA_POSTGRES__PORT asks for port {occupied}"):
        addresses.allocate(Settings(home=tmp_path), {"postgres"}, _heard([]))


def test_the_stack_refuses_an_address_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_KAFKA__BROKERS", "kafka.example.org:9092")

    with pytest.raises(StackFailed, match="give it a loopback address with a port"):
        addresses.allocate(Settings(home=tmp_path), {"kafka"}, _heard([]))
