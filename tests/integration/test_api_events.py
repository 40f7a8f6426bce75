"""Events of scenes on the real platform: to the end, in every process, and after a cut."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from mela.settings import Settings
from services.accounts import accounts
from services.accounts.accounts import Role
from tests.integration.serving import served

pytestmark = pytest.mark.integration
PASSWORD = "seven quiet herons"
PATIENCE_S = 60.0
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-06-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


@dataclass
class Heard:
    """What a stream has told so far."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, event: Mapping[str, str]) -> None:
        with self.changed:
            self.events.append((event["event"], json.loads(event["data"])))
            if "id" in event:
                self.ids.append(event["id"])
            self.changed.notify_all()

    def wait_for(self, scene_id: str, state: str) -> dict[str, Any]:
        """Return the first event of a scene in a state, as soon as it is told."""
        give_up_at = time.monotonic() + PATIENCE_S
        with self.changed:
            while True:
                for name, data in self.events:
                    if name == "scene" and data["scene_id"] == scene_id and data["state"] == state:
                        return data
                left = give_up_at - time.monotonic()
                assert left > 0, f"never heard that {scene_id} is {state}: {self.events}"
                self.changed.wait(left)

    def wait_for_event(self, name: str) -> dict[str, Any]:
        give_up_at = time.monotonic() + PATIENCE_S
        with self.changed:
            while True:
                for found, data in self.events:
                    if found == name:
                        return data
                left = give_up_at - time.monotonic()
                assert left > 0, f"never heard {name}: {self.events}"
                self.changed.wait(left)

    def versions(self, scene_id: str) -> list[int]:
        return [
            data["version"]
            for name, data in list(self.events)
            if name == "scene" and data["scene_id"] == scene_id
        ]

    def mentions(self, scene_id: str) -> bool:
        return any(scene_id in json.dumps(data) for _, data in list(self.events))


@contextmanager
def listening(
    client: httpx.Client, query: str, headers: Mapping[str, str] | None = None
) -> Iterator[Heard]:
    """Listen in a thread until the block ends."""
    heard = Heard()
    at = client.base_url
    connection = http.client.HTTPConnection(at.host, at.port, timeout=PATIENCE_S)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    sent = {"Cookie": cookies, "Host": f"{at.host}:{at.port}", **(headers or {})}
    connection.request("GET", f"{at.path.rstrip('/')}/events?{query}", headers=sent)
    answer = connection.getresponse()
    assert answer.status == 200
    assert (answer.getheader("Content-Type") or "").startswith("text/event-stream")

    def read() -> None:
        event: dict[str, str] = {}
        with suppress(OSError, http.client.HTTPException, ValueError):  # the block has ended
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name and value:
                    event[name] = value
                elif "event" in event:
                    heard.take(event)
                    event = {}

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        heard.wait_for_event("opened")
        yield heard
    finally:
        connection.sock.shutdown(socket.SHUT_RDWR)
        reader.join(PATIENCE_S)
        answer.close()
        connection.close()


@pytest.fixture(scope="module")
def workers(platform: Settings) -> Iterator[tuple[str, str]]:
    """Two processes' worth of the application: each has its own memory, and shares none."""
    with served(platform) as one, served(platform) as two:
        yield one, two


@pytest.fixture(scope="module")
def names(platform: Settings) -> tuple[str, str]:
    found = tuple(f"{name}-{uuid4().hex[:6]}" for name in ("anna", "bert"))
    for name in found:
        accounts.add(platform, name, PASSWORD, Role.TRADER)
    return found[0], found[1]


@contextmanager
def client(url: str, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as found:
        answer = found.post("/session", json={"user": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        found.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield found


def publish(asking: httpx.Client, fast: int, **more: Any) -> str:
    scene = {**SCENE, "strategy": {"name": "sma_cross", "params": {"fast": fast, "slow": 150}}}
    answer = asking.post("/scenes", json={"scene": scene, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["scene_id"])


def test_a_scene_is_told_from_its_receipt_to_its_end_by_another_worker(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    """Published through one worker, heard at the other: nothing is in a process's memory alone."""
    with (
        client(workers[0], names[0]) as asking,
        client(workers[1], names[0]) as hearing,
        listening(hearing, "all=true") as heard,
    ):
        began = time.monotonic()
        scene_id = publish(asking, 11)
        heard.wait_for(scene_id, "received")
        first_s = time.monotonic() - began
        ended = heard.wait_for(scene_id, "finished")

    assert first_s < 5  # an idle stack needs a tenth of a second; this one has other work
    assert (ended["runs"], ended["recorded"], ended["failed"]) == (1, 1, 0)
    assert ended["best"] is not None
    versions = heard.versions(scene_id)
    assert versions == sorted(set(versions)), "a version came again, or fell"


def test_a_new_connection_is_told_how_it_is_now_and_never_how_it_was(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    with client(workers[0], names[0]) as asking:
        with listening(asking, "all=true") as heard:
            scene_id = publish(asking, 12)
            before = heard.wait_for(scene_id, "received")
        with listening(asking, f"scene={scene_id}", {"Last-Event-ID": heard.ids[-1]}) as again:
            ended = again.wait_for(scene_id, "finished")

        versions = [before["version"], *again.versions(scene_id)]
        assert versions == sorted(versions)
        with listening(asking, f"scene={scene_id}") as late:
            assert late.wait_for(scene_id, "finished")["version"] == ended["version"]
            assert late.versions(scene_id) == [ended["version"]]


def test_what_is_private_is_told_to_its_owner_only(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    with client(workers[0], names[0]) as anna, client(workers[1], names[1]) as bert:
        with listening(anna, "all=true") as own, listening(bert, "all=true") as other:
            scene_id = publish(anna, 13, is_private=True)
            own.wait_for(scene_id, "finished")
            shared = publish(anna, 14)
            other.wait_for(shared, "finished")  # by then the private one would have been told, too
            assert not other.mentions(scene_id)
        with listening(bert, f"scene={scene_id}&scene={shared}") as asked:
            asked.wait_for(shared, "finished")
            assert not any(
                name == "scene" and data["scene_id"] == scene_id for name, data in asked.events
            )


def test_a_scene_that_becomes_private_is_gone_for_others(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    with client(workers[0], names[0]) as anna, client(workers[1], names[1]) as bert:
        scene_id = publish(anna, 15)
        with listening(bert, f"scene={scene_id}") as other:
            other.wait_for(scene_id, "finished")
            assert anna.patch(f"/scenes/{scene_id}", json={"is_private": True}).status_code == 200
            assert other.wait_for_event("gone") == {"scene_id": scene_id}


def test_what_a_stream_watches_changes_without_a_new_connection(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    """The request may meet another worker than the one that has the stream."""
    with client(workers[0], names[0]) as asking, client(workers[1], names[0]) as hearing:
        first, second = publish(asking, 16), publish(asking, 17)
        with listening(hearing, f"scene={first}") as heard:
            heard.wait_for(first, "finished")
            assert not heard.mentions(second)
            stream = heard.wait_for_event("opened")["stream"]
            answer = asking.post(f"/events/{stream}/watch", json={"scenes": [second]})
            assert answer.json()["scenes"] == [second]
            heard.wait_for(second, "finished")
        with client(workers[0], names[1]) as bert, listening(hearing, f"scene={first}") as heard:
            stream = heard.wait_for_event("opened")["stream"]
            assert bert.post(f"/events/{stream}/watch", json={"scenes": [second]}).is_success
            time.sleep(1.0)
            assert not heard.mentions(second), "somebody else changed what a stream watches"


def test_a_publication_is_sent_once_for_an_idempotency_key(
    workers: tuple[str, str], names: tuple[str, str]
) -> None:
    scene = {**SCENE, "strategy": {"name": "sma_cross", "params": {"fast": 18, "slow": 150}}}
    key = {"Idempotency-Key": uuid4().hex}
    found: list[str] = []

    def ask(url: str) -> None:
        with client(url, names[0]) as asking:
            answer = asking.post("/scenes", json={"scene": scene}, headers=key)
            found.append(answer.json()["scene_id"])

    threads = [threading.Thread(target=ask, args=(workers[place % 2],)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert len(found) == 6
    assert len(set(found)) == 1
    with client(workers[0], names[0]) as asking:
        other = asking.post("/scenes", json={"scene": SCENE}, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "conflict")
