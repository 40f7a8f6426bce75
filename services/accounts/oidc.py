"""Sign in at an OpenID provider: authorization code with state, nonce and PKCE."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from mela.errors import (
    Conflict,
    InputInvalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    SourceUnavailable,
    TooManyAttempts,
)
from mela.settings import Settings
from services.accounts import accounts
from services.accounts.accounts import Role
from services.accounts.sessions import SignedIn, begin, digest
from warehouse.accounts import accounts as stored_accounts
from warehouse.accounts import attempts
from warehouse.accounts import oidc as stored
from warehouse.database import transaction

CALLBACK = "/api/v1/oidc/callback"
LASTS = timedelta(minutes=10)  # how long a person may take at the provider
WAIT_S = 10.0
MOST_A_MINUTE, PAUSE_S = 30, 10.0  # sign-ins that begin, and refusals, of an address
_BEGUN, _REFUSALS = digest("\x00 oidc begun"), digest("\x00 oidc refused")
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY_S = 60
_REFUSED = "the provider's answer does not fit this sign-in; begin again."


class Provider(BaseModel):
    """The description that a provider gives of itself (OpenID Connect Discovery)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Claims(BaseModel):
    """The claims of a provider about a person."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sub: str
    preferred_username: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that begins. url: where the browser goes; state: what its cookie keeps."""

    url: str
    state: str


def start(settings: Settings, return_to: str = "/", *, address: str) -> Begun:
    """Begin a sign-in.

    return_to: a path of ours, where the browser goes at the end; another address becomes `/`
    Raises NotFound where no provider is set, TooManyAttempts, and SourceUnavailable.
    """
    if settings.api.oidc_issuer is not None:
        _check_pace(settings, _BEGUN, address)
        _note(settings, _BEGUN, address)  # each asks the provider, and stores a row
    provider = _provider(settings)
    attempt = stored.Attempt(
        nonce=secrets.token_urlsafe(32),
        code_verifier=secrets.token_urlsafe(48),
        return_to=return_to if is_local(return_to) else "/",
    )
    with _client(settings) as client:
        url, state = client.create_authorization_url(
            provider.authorization_endpoint,
            state=secrets.token_urlsafe(32),
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
        )
    with transaction(settings) as connection:
        stored.add(connection, digest(state), attempt, LASTS)
    return Begun(url, state)


def finish(
    settings: Settings,
    *,
    state: str,
    cookie_state: str | None,
    code: str,
    issuer: str | None,
    address: str,
    agent: str | None,
) -> tuple[SignedIn, str]:
    """End a sign-in; return the session, and where the browser goes.

    cookie_state: what the browser kept that began; issuer: the answer's own `iss`, where it has one
    Raises NotSignedIn where the answer does not fit, NotAllowed for a person without an account
    where none is made, Conflict where no name is free, TooManyAttempts, and SourceUnavailable.
    """
    _check_pace(settings, _REFUSALS, address)
    provider = _provider(settings)
    if cookie_state is None or not secrets.compare_digest(cookie_state, state):
        raise NotSignedIn(_REFUSED)
    with transaction(settings) as connection:
        attempt = stored.take(connection, digest(state))
    if attempt is None or (issuer is not None and issuer != provider.issuer):
        raise NotSignedIn(_REFUSED)
    claims = _claims(settings, provider, code, attempt)
    account = _account(settings, provider.issuer, claims)
    return begin(settings, account, address=address, agent=agent), attempt.return_to


def note_refusal(settings: Settings, address: str) -> None:
    """Count a sign-in that was refused: an address has few of them a minute."""
    _note(settings, _REFUSALS, address)


def _check_pace(settings: Settings, what: bytes, address: str) -> None:
    with transaction(settings) as connection:
        number = attempts.lately(connection, what, f"oidc {address}")
    if number >= MOST_A_MINUTE:
        raise TooManyAttempts("too many sign-ins begin here; wait a little.", PAUSE_S)


def _note(settings: Settings, what: bytes, address: str) -> None:
    with transaction(settings) as connection:
        attempts.note(connection, what, f"oidc {address}")


def is_local(path: str) -> bool:
    """Tell whether an address is a path of this application, and leads nowhere else."""
    is_path = path.startswith("/") and not path.startswith("//")
    return is_path and "\\" not in path and path.isprintable() and len(path) <= 2_000


@contextmanager
def _client(settings: Settings) -> Generator[Any]:
    client: Any = OAuth2Client(
        client_id=settings.api.oidc_client,
        client_secret=settings.api.oidc_secret.get_secret_value() or None,
        token_endpoint_auth_method=(
            "client_secret_basic" if settings.api.oidc_secret.get_secret_value() else "none"
        ),
        scope="openid profile email",
        redirect_uri=f"{settings.api.origin}{CALLBACK}",
        code_challenge_method="S256",
        timeout=WAIT_S,
    )
    try:
        yield client
    finally:
        client.close()


def _provider(settings: Settings) -> Provider:
    issuer = settings.api.oidc_issuer
    if issuer is None:
        raise NotFound("no identity provider is set here; sign in with a password.")
    found = _ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        provider = Provider.model_validate(found)
    except ValidationError as error:
        raise SourceUnavailable("the identity provider does not say how to sign in.") from error
    if provider.issuer != issuer:
        raise SourceUnavailable("the identity provider calls itself by another name.")
    return provider


def _ask(url: str) -> Any:
    try:
        answer = httpx2.get(url, timeout=WAIT_S)
        answer.raise_for_status()
        return answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise SourceUnavailable("the identity provider does not answer.") from error


def _claims(settings: Settings, provider: Provider, code: str, attempt: stored.Attempt) -> Claims:
    """Exchange a code for the ID token, and return what that says, verified."""
    with _client(settings) as client:
        try:
            token = client.fetch_token(
                provider.token_endpoint, code=code, code_verifier=attempt.code_verifier
            )
        except AuthlibBaseError as error:
            raise NotSignedIn(_REFUSED) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise SourceUnavailable("the identity provider does not answer.") from error
    keys = _ask(provider.jwks_uri)
    try:
        decoded = jwt.decode(
            str(token["id_token"]), KeySet.import_key_set(keys), algorithms=ALGORITHMS
        )
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {"iss": {"essential": True, "value": provider.issuer}},
            {
                "nonce": attempt.nonce,
                "client_id": settings.api.oidc_client,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=_LEEWAY_S)
        audience = claims["aud"]
        if settings.api.oidc_client not in (audience if isinstance(audience, list) else [audience]):
            raise NotSignedIn(_REFUSED)
        return Claims.model_validate(dict(claims))
    except (JoseError, AuthlibBaseError, ValidationError, KeyError, ValueError) as error:
        raise NotSignedIn(_REFUSED) from error


def _account(settings: Settings, issuer: str, claims: Claims) -> stored_accounts.AccountRow:
    """Return the account of a person, by the provider's own number: names may change hands."""
    with transaction(settings) as connection:
        found = stored_accounts.by_subject(connection, issuer, claims.sub)
        if found is None:
            if settings.api.oidc_role is None:
                raise NotAllowed("you have no account here; ask an administrator.", "no_account")
            for name in _names(claims):
                if stored_accounts.is_used(connection, name):
                    continue
                account_id = accounts.stored_new(
                    connection,
                    name,
                    Role(settings.api.oidc_role),
                    None,
                    oidc=(issuer, claims.sub),
                )
                return stored_accounts.by_id(connection, account_id)
            raise Conflict("no name is free for you here; ask an administrator.")
    if found.is_disabled:
        raise NotAllowed("your account is disabled; ask an administrator.", "disabled")
    return found


def _names(claims: Claims) -> list[str]:
    """Return names that an account may have, the best first."""
    asked = claims.preferred_username or (claims.email or "").partition("@")[0]
    found: list[str] = []
    for ending in ("", *(f"-{number}" for number in range(2, 20))):
        try:
            found.append(accounts.name_checked(f"{asked[:60]}{ending}"))
        except InputInvalid:
            continue
    return found or [f"user-{quote(claims.sub, safe='')[:16].lower().replace('%', '')}"]
