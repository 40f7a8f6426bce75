"""One error tree, named by what the caller can do about it.

MelaError
├── SourceUnavailable   retry later: the other side is down, slow or says "not now"
├── SourceRefused       do not retry: the request itself is wrong
├── CandlesMissing      backfill first
├── CandlesInvalid      the candles themselves are unusable
├── StrategyBroken      mend the strategy's own code: it could not be loaded
├── NotSignedIn         sign in first: nobody is known by this session or token
├── NotAllowed          ask somebody with the right: the caller is known, and may not do this
├── TooManyAttempts     wait: this was tried too often
├── Refused             a message that goes to mela.rejected: code, field, sentence
│   ├── SceneInvalid    tell the scene's author
│   └── MessageInvalid  a message on an inner topic cannot be read
└── StackFailed         a service of the local stack did not start, or is not there
"""

from __future__ import annotations

from enum import StrEnum


class MelaError(Exception):
    """Root of everything that Mela raises on purpose."""


class SourceUnavailable(MelaError):
    """Say that a market-data service could not answer now; the same request may succeed later.

    retry_after_s: the wait that would help, where it is known; None where it is not
    """

    def __init__(self, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class SourceRefused(MelaError):
    """Say that a market-data service will not answer this request, however often it is sent."""


class CandlesMissing(MelaError):
    """Say that candles needed are not stored; the message names the backfill that would help."""


class CandlesInvalid(MelaError):
    """Say that candles break a law that the engine relies on; the message names row and field."""


class NotFound(MelaError):
    """Say that nothing has the id or the name that was asked for."""


class Conflict(MelaError):
    """Say that what is there is in a state that does not allow what was asked for."""


class InputInvalid(MelaError):
    """Say that an argument of a use case is wrong. field: its path, or None if it has none."""

    def __init__(self, field: str | None, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


class SettingsInvalid(MelaError, ValueError):
    """Say that a setting is wrong: its variable, what it must be and where it was found."""


class AccessDenied(MelaError):
    """Say that a service is there but does not accept the user or the password."""


class NotSignedIn(MelaError):
    """Say that a request needs somebody who signed in, and that it names nobody who did."""


class NotAllowed(MelaError):
    """Say that the caller is known but may not do this. code: for machines."""

    def __init__(self, sentence: str, code: str = "not_allowed") -> None:
        super().__init__(sentence)
        self.code = code


class TooManyAttempts(MelaError):
    """Say that something was tried too often. retry_after_s: after which wait it may be again."""

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class StackFailed(MelaError):
    """Say that a service of the local stack could not be started or reached."""


class StrategyBroken(MelaError, KeyError):
    """Say that a strategy of this name cannot be had until its code is mended, and why."""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would put its sentence in quotes


class RejectionCode(StrEnum):
    """Why a message was refused (docs/contract/messages.md)."""

    NOT_JSON = "not_json"
    UNSUPPORTED_VERSION = "unsupported_version"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_STRATEGY = "unknown_strategy"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    TOO_MANY_RUNS = "too_many_runs"
    NOTHING_TO_RUN = "nothing_to_run"
    SCENE_ID_REUSED = "scene_id_reused"
    TOO_LARGE = "too_large"
    QUOTA_EXCEEDED = "quota_exceeded"


class Refused(MelaError):
    """Refuse a message: `code` for machines, `field` as a path, `sentence` for its author."""

    def __init__(self, code: RejectionCode, field: str | None, sentence: str) -> None:
        # a name or a value of megabytes would not fit into the letter that carries the message
        field, sentence = field and _shortened(field, FIELD_CHARS), _shortened(sentence, CHARS)
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.code = code
        self.field = field
        self.sentence = sentence


FIELD_CHARS, CHARS = 300, 4_000  # of a refusal's path, and of its sentence


def _shortened(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


class SceneInvalid(Refused):
    """Refuse a scene. others: what else is wrong with it, where somebody looked."""

    others: tuple[SceneInvalid, ...] = ()


class MessageInvalid(Refused):
    """Refuse a message of an inner topic (`mela.runs`, `mela.results`) that cannot be read."""
