"""api/surroundings.py, api/static.py and api/problems.py: what every answer has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import static
from api.__main__ import check_address
from api.app import create_app
from api.surroundings import LARGEST_BODY
from mela.errors import SettingsInvalid
from mela.settings import Settings
from mela.settings.api import ApiSettings

HERE = "http://127.0.0.1:8000"
OUTSIDE = "https://mela.example"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings()), base_url=HERE) as found:
        yield found


@pytest.fixture(scope="module")
def public() -> Iterator[TestClient]:
    settings = Settings(api=ApiSettings(public_url=OUTSIDE))
    with TestClient(create_app(settings), base_url=OUTSIDE) as found:
        yield found


@pytest.fixture
def built(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "main-1a2b.js").write_text("let a = 1;")
    (tmp_path / "assets" / "main-1a2b.js.br").write_bytes(b"packed")
    (tmp_path / "index.html").write_text(f'<script nonce="{static.NONCE}"></script>')
    (tmp_path / ".hidden").write_text("a secret")
    (tmp_path.parent / "outside.txt").write_text("a secret")
    with TestClient(create_app(Settings(), pages=tmp_path), base_url=HERE) as found:
        yield found


def test_every_answer_says_how_it_may_be_used(client: TestClient, public: TestClient) -> None:
    for path in ("/api/v1/health", "/api/v1/no-such-route", "/api/v1/about"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers
    assert "max-age=31536000" in public.get("/api/v1/health").headers["Strict-Transport-Security"]


def test_another_name_in_host_is_refused(client: TestClient, public: TestClient) -> None:
    """A page elsewhere whose name was turned to this address reads nothing."""
    for host in ("evil.example", "", "[", "127.0.0.1.evil.example"):
        answer = client.get("/api/v1/health", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    assert public.get("/api/v1/health", headers={"Host": "evil.example"}).status_code == 400
    assert public.get("/api/v1/health").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(
    client: TestClient, headers: dict[str, str]
) -> None:
    answer = client.post("/api/v1/session", json={"user": "a", "password": "b"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_a_body_that_is_too_large_is_refused_with_a_length_and_without(
    client: TestClient,
) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    told = client.post("/api/v1/session", content=body)
    parts = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    untold = client.post("/api/v1/session", content=parts)
    for answer in (told, untold):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_errors_are_problems_with_codes_and_fields(client: TestClient) -> None:
    answer = client.post("/api/v1/session", json={"user": "ada"})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    found = answer.json()
    assert (found["type"], found["code"], found["field"]) == (
        "urn:mela:problem:invalid_field",
        "invalid_field",
        "password",
    )
    assert found["instance"] == "/api/v1/session"
    wrong = client.put("/api/v1/session")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


def test_a_password_is_not_repeated_in_an_error(client: TestClient) -> None:
    answer = client.post("/api/v1/session", json={"user": "", "password": "my secret words"})
    assert answer.status_code == 422
    assert "my secret words" not in answer.text


def test_pages_come_with_a_new_nonce_and_a_strict_policy(built: TestClient) -> None:
    first, second = (
        built.get("/scenes/any/page", headers={"Accept": "text/html"}) for _ in range(2)
    )
    nonces = [re.findall(r'nonce="([^"]+)"', one.text)[0] for one in (first, second)]
    assert nonces[0] != nonces[1]
    for answer, nonce in zip((first, second), nonces, strict=True):
        policy = answer.headers["Content-Security-Policy"]
        assert f"style-src 'self' 'nonce-{nonce}'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"


def test_hashed_files_never_change_and_come_packed(built: TestClient) -> None:
    plain = built.get("/assets/main-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == "let a = 1;"
    assert "immutable" in plain.headers["Cache-Control"]
    assert plain.headers["Content-Type"].startswith("text/javascript")
    with built.stream("GET", "/assets/main-1a2b.js", headers={"Accept-Encoding": "br"}) as packed:
        assert packed.headers["Content-Encoding"] == "br"
        assert b"".join(packed.iter_raw()) == b"packed"


@pytest.mark.parametrize(
    "path", ["/../outside.txt", "/%2e%2e/outside.txt", "/.hidden", "/assets/../.hidden", "/a%00b"]
)
def test_nothing_outside_the_build_is_served(built: TestClient, path: str) -> None:
    answer = built.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_an_unknown_route_of_the_api_is_no_page(built: TestClient) -> None:
    assert built.get("/api/v1/nothing", headers={"Accept": "text/html"}).status_code == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_it_starts_as_it_is(address: str) -> None:
    check_address(Settings(), address)


BEYOND = ["0.0.0.0", "192.168.1.4", "::", "api"]  # noqa: S104
PROXY = "10.0.0.2"


@pytest.mark.parametrize("address", BEYOND)
def test_beyond_loopback_it_starts_only_behind_https_and_a_proxy_that_is_named(
    address: str,
) -> None:
    check_address(Settings(api=ApiSettings(public_url=OUTSIDE, trusted_proxies=PROXY)), address)
    url, proxies = "MELA_API__PUBLIC_URL", "MELA_API__TRUSTED_PROXIES"
    for api, missing in (
        (ApiSettings(), {url, proxies}),
        (ApiSettings(public_url=OUTSIDE), {proxies}),
        (ApiSettings(public_url=OUTSIDE, trusted_proxies=" , "), {proxies}),
        (ApiSettings(public_url=OUTSIDE, trusted_proxies="*"), {proxies}),
        (ApiSettings(trusted_proxies=PROXY), {url}),
        (ApiSettings(public_url="http://127.0.0.1:9000", trusted_proxies=PROXY), {url}),
        (ApiSettings(public_url="https://127.0.0.1:9000", trusted_proxies=PROXY), {url}),
        (ApiSettings(public_url="https://localhost", trusted_proxies=PROXY), {url}),
        (ApiSettings(public_url=OUTSIDE, is_published_on_loopback=True), {proxies}),
        (ApiSettings(is_published_on_loopback=True), {url, proxies}),
    ):
        with pytest.raises(SettingsInvalid) as refused:
            check_address(Settings(api=api), address)
        said = str(refused.value).partition("In a container")[0]
        assert {one for one in (url, proxies) if one in said} == missing


def test_in_a_container_it_starts_where_only_a_loopback_port_leads_to_it() -> None:
    inside = ApiSettings(public_url="http://127.0.0.1:9000", is_published_on_loopback=True)
    check_address(Settings(api=inside), "0.0.0.0")  # noqa: S104


def test_a_public_address_is_https_or_on_loopback() -> None:
    with pytest.raises(SettingsInvalid, match="expected https://"):
        Settings(api={"public_url": "http://mela.example"})  # type: ignore[arg-type]
    assert ApiSettings(public_url="http://127.0.0.1:9000").is_https is False
