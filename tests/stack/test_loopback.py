"""The whole stack, every service of it, is for this machine only."""

from __future__ import annotations

import socket

import psutil
import pytest

import stack
from mela.settings import Settings
from stack.sweep import processes

# the first test of the platform waits for its demo
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


def test_the_whole_stack_listens_on_loopback_only(platform: Settings) -> None:
    pids = {found.pid for found in processes(platform.home)}
    sockets = [found for found in psutil.net_connections() if found.pid in pids]
    listening = {
        (found.laddr.ip.removeprefix("::ffff:"), found.laddr.port)
        for found in sockets
        if found.status == psutil.CONN_LISTEN or found.type == socket.SOCK_DGRAM
    }

    assert {address for address, _ in listening} == {"127.0.0.1"}
    assert platform.postgres.port in {port for _, port in listening}


def test_every_service_is_healthy_and_says_where_it_is(platform: Settings) -> None:
    found = {one.name: one for one in stack.status(platform)}

    assert {name for name, one in found.items() if not one.healthy} == set()
    assert found["mlflow"].address == platform.mlflow.url
    assert found["kafka"].address == platform.kafka.brokers


def test_the_secrets_are_for_their_owner_only(platform: Settings) -> None:
    for name in ("stack.env", "run/supervisord.conf", "airflow/passwords.json"):
        assert (platform.home / name).stat().st_mode & 0o077 == 0
    for name in ("run", "logs", "postgres"):
        assert (platform.home / name).stat().st_mode & 0o077 == 0
