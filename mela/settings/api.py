"""The settings of the web application."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from mela.loopback import is_loopback


class ApiSettings(BaseModel):
    """The web application and its API. Without `public_url` it answers on loopback only."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(default="http://127.0.0.1:8000", description="where it answers")
    token: SecretStr = Field(
        default=SecretStr(""),
        description="a personal token, for what asks the API: the Python client, `mela mcp`",
    )
    public_url: str | None = Field(
        default=None,
        description="https://…: where people reach it through a proxy that ends TLS; needed as "
        "soon as it listens on more than loopback",
    )
    trusted_proxies: str = Field(
        default="",
        description="addresses or networks of proxies whose X-Forwarded-… headers are believed, "
        "with commas",
    )
    is_published_on_loopback: bool = Field(
        default=False,
        description="true where it runs in a network of its own, as in a container, of which only "
        "a loopback port of the machine leads to it: `public_url` may then be on loopback",
    )
    workers: int = Field(default=2, ge=1, le=64, description="processes that answer requests")
    session_idle_hours: float = Field(
        default=12.0, gt=0, le=720, description="a session that is not used for so long ends"
    )
    session_days: float = Field(
        default=7.0, gt=0, le=90, description="a session ends after so long, used or not"
    )
    is_registration_open: bool = Field(
        default=False, description="whether anybody may make an account (a viewer) uninvited"
    )
    runs_per_day: int = Field(
        default=0, ge=0, description="runs that a user may ask in a day of UTC; 0 for any number"
    )
    scenes_at_once: int = Field(
        default=0, ge=0, description="scenes of a user that may be under way; 0 for any number"
    )
    kafka_runs_per_day: int | None = Field(
        default=None,
        ge=0,
        description="the same of each of `kafka` and `mela-publisher`, to whom scenes belong that "
        "came straight through Kafka; 0 for any number, None: as any user",
    )
    kafka_scenes_at_once: int | None = Field(
        default=None, ge=0, description="the same of their scenes; None: as any user"
    )
    oidc_issuer: str | None = Field(
        default=None, description="an OpenID provider at which users may sign in, as its issuer"
    )
    oidc_client: str = Field(default="", description="what the provider calls this application")
    oidc_secret: SecretStr = Field(default=SecretStr(""), description="what it shares with it")
    oidc_role: Literal["viewer", "trader"] | None = Field(
        default=None,
        description="the role of who comes from there for the first time; None: nobody may who "
        "has no account",
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _is_private(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.hostname and (parts.scheme == "https" or is_loopback(parts)):
            return url
        raise ValueError(f"expected https://…, or http:// on a loopback address, but found {url!r}")

    @field_validator("public_url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.hostname and (parts.scheme == "https" or is_loopback(parts)):
            return url.rstrip("/")
        raise ValueError(f"expected https://…, or http:// on a loopback address, but found {url!r}")

    @property
    def is_https(self) -> bool:
        """Tell whether browsers reach it by https."""
        return (self.public_url or self.url).startswith("https://")

    @property
    def origin(self) -> str:
        """Return the origin of its pages, as browsers send it."""
        parts = urlsplit(self.public_url or self.url)
        return f"{parts.scheme}://{parts.netloc}"
