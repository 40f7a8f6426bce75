"""Requests: what is repeated, what is refused, and how errors of the API become ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from api.models.problem import Problem
from api.models.scenes import ScenePage
from client.http import Api, error_of
from mela.errors import (
    CandlesMissing,
    Conflict,
    InputInvalid,
    MelaError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RejectionCode,
    SceneInvalid,
    SourceUnavailable,
    TooManyAttempts,
)

Answer = tuple[int, dict[str, str], bytes]
EMPTY = b'{"items": [], "next_cursor": null}'


def problem(status: int, code: str, **more: object) -> Problem:
    fields = {"type": f"urn:mela:problem:{code}", "title": "Wrong", "detail": "it is wrong."}
    return Problem.model_validate({**fields, "status": status, "code": code, **more})


@contextmanager
def answering(answers: Sequence[Answer]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that gives one answer after another, the last one for ever."""
    left, heard = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append({**self.headers, "path": self.path})
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", heard
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def api_of(answers: Sequence[Answer]) -> Iterator[tuple[Api, list[dict[str, str]]]]:
    with answering(answers) as (url, heard):
        api = Api(url, "mela_secret", patience_s=3)
        try:
            yield api, heard
        finally:
            api.close()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "not_signed_in", NotSignedIn),
        (403, "not_allowed", NotAllowed),
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (409, "candles_missing", CandlesMissing),
        (413, "too_large_body", InputInvalid),
        (422, "unknown_strategy", SceneInvalid),
        (422, "invalid_field", InputInvalid),
        (429, "too_many_attempts", TooManyAttempts),
        (503, "unavailable", SourceUnavailable),
        (500, "internal", MelaError),
    ],
)
def test_a_problem_becomes_the_error_that_says_what_one_can_do(
    status: int, code: str, kind: type[MelaError]
) -> None:
    found = error_of(problem(status, code, field="a.field"), 7.0)
    assert type(found) is kind
    assert "it is wrong." in str(found)
    if isinstance(found, SourceUnavailable | TooManyAttempts):
        assert found.retry_after_s == 7.0


def test_a_refused_scene_brings_all_its_faults() -> None:
    faults = [
        {"code": "invalid_field", "field": name, "message": f"{name} is wrong."}
        for name in ("cash", "interval")
    ]
    said = {"field": "cash", "faults": faults, "instance": "/api/v1/scenes"}
    found = error_of(problem(422, "invalid_field", **said))
    assert isinstance(found, SceneInvalid)
    assert (found.code, found.field) == (RejectionCode.INVALID_FIELD, "cash")
    assert [(one.field, one.sentence) for one in found.others] == [
        ("interval", "interval is wrong.")
    ]


def test_an_api_that_is_not_ready_is_asked_again_and_the_token_comes_along() -> None:
    away = json.dumps(problem(503, "unavailable").model_dump()).encode()
    answers: list[Answer] = [(503, {"Retry-After": "0"}, away), (502, {}, b"no"), (200, {}, EMPTY)]
    with api_of(answers) as (api, heard):
        assert api.read(ScenePage, "/scenes", limit=5).items == ()
    assert [one["path"] for one in heard] == ["/api/v1/scenes?limit=5"] * 3
    assert {one["Authorization"] for one in heard} == {"Bearer mela_secret"}


def test_what_asks_to_wait_for_longer_than_somebody_is_patient_is_given_up() -> None:
    away = json.dumps(problem(503, "unavailable").model_dump()).encode()
    with (
        api_of([(503, {"Retry-After": "30"}, away)]) as (api, heard),
        pytest.raises(SourceUnavailable, match="it is wrong"),
    ):
        api.read(ScenePage, "/scenes")
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((302, {"Location": "https://else.where"}, b""), InputInvalid, "points to https://else"),
        ((404, {}, b"<html>"), MelaError, "answered 404, and not as Mela does"),
        ((200, {}, b'{"items": 7}'), MelaError, "items: Input should be a valid array"),
    ],
)
def test_what_is_not_this_api_is_said_and_not_repeated(
    answer: Answer, kind: type[MelaError], said: str
) -> None:
    with api_of([answer]) as (api, heard), pytest.raises(kind, match=said):
        api.read(ScenePage, "/scenes")
    assert len(heard) == 1


@pytest.mark.parametrize(
    "url", ["http://mela.example", "http://10.0.0.1:8000", "ftp://127.0.0.1", "127.0.0.1:8000", ""]
)
def test_a_token_is_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(InputInvalid, match="must not travel in the clear"):
        Api(url, "mela_secret", patience_s=1)


@pytest.mark.parametrize("url", ["https://mela.example", "http://localhost:1", "http://[::1]:1"])
def test_https_and_this_machine_are_asked(url: str) -> None:
    Api(url, "mela_secret", patience_s=1).close()
