"""A small OpenID provider on loopback, made of Authlib's own server: whoever comes is `person`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.util import scope_to_list
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "mela", "a secret of the tests"


@dataclass
class Person:
    """Who is at the provider. changes: what its ID token says instead of the truth."""

    sub: str = "4711"
    name: str = "Ada"
    changes: dict[str, Any] = field(default_factory=dict)

    def get_user_id(self) -> str:
        return self.sub


@dataclass
class Client(ClientMixin):
    callback: str

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return self.callback

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.callback

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code:
    code: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Provider:
    """A provider that runs. seen: the parameters of each request for a code.

    is_broken: whether it fails where a code is exchanged
    """

    issuer: str
    person: Person
    key: RSAKey
    seen: list[dict[str, str]] = field(default_factory=list)
    is_broken: bool = False


@contextmanager
def provider(callback: str) -> Iterator[Provider]:
    """Run a provider for one client."""
    app = Flask("provider")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = False
    server = make_server("127.0.0.1", 0, app, threaded=True)
    issuer = f"http://127.0.0.1:{server.server_port}"
    key = RSAKey.generate_key(2048, parameters={"kid": "1"}, private=True)
    found = Provider(issuer, Person(), key)
    _install(app, found, Client(callback))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _grants(of: Provider) -> tuple[Any, Any]:
    """Return how a code is given for a person, and what the ID token then says."""
    codes: dict[str, Code] = {}

    class ByCode(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload.data
            codes[code] = Code(
                code,
                request.payload.redirect_uri,
                request.payload.scope,
                asked.get("nonce"),
                asked.get("code_challenge"),
                asked.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            return codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> Person:
            return of.person

    class IdToken(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False

        def resolve_client_private_key(self, client: Any) -> RSAKey:
            return of.key

        def get_client_algorithm(self, client: Any) -> str:
            return "RS256"

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": of.issuer}

        def encode_id_token(self, token: Any, request: Any) -> str:
            found = super().encode_id_token(token, request)
            claims = jwt.decode(found, of.key).claims | of.person.changes
            return jwt.encode({"alg": "RS256", "kid": "1"}, claims, of.key)

        def generate_user_info(self, user: Person, scope: str) -> UserInfo:
            assert "openid" in scope_to_list(scope)
            return UserInfo(sub=user.sub, preferred_username=user.name)

    return ByCode, IdToken


def _install(app: Flask, of: Provider, client: Client) -> None:
    by_code, id_token = _grants(of)
    server = AuthorizationServer(
        app, query_client=lambda _: client, save_token=lambda token, request: None
    )
    server.register_grant(by_code, [id_token(require_nonce=True), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Any:
        return jsonify(
            issuer=of.issuer,
            authorization_endpoint=f"{of.issuer}/authorize",
            token_endpoint=f"{of.issuer}/token",
            jwks_uri=f"{of.issuer}/keys",
        )

    @app.get("/authorize")
    def authorize() -> Any:
        of.seen.append(request.args.to_dict())
        grant = server.get_consent_grant(end_user=of.person)
        return server.create_authorization_response(grant_user=of.person, grant=grant)

    @app.post("/token")
    def token() -> Any:
        return ("", 500) if of.is_broken else server.create_token_response()

    @app.get("/keys")
    def keys() -> Any:
        return jsonify(keys=[of.key.as_dict(private=False)])
