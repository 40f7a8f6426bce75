"""Requests to the API: the token, repeating what did not arrive, its errors as ours."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

import mela
from api.models.problem import Problem
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

PREFIX = "/api/v1"
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
AWAY = frozenset((502, 503, 504))
MOST_WAIT_S = 60.0  # that the API may ask for before a request is given up
KINDS: Mapping[int, type[MelaError]] = {401: NotSignedIn, 404: NotFound, 409: Conflict}

Model = TypeVar("Model", bound=BaseModel)


class Tries:
    """Tries of a request: each but the first waits, longer and longer.

    `reset` begins anew, for what has come further.
    """

    def __init__(self, patience_s: float, api: Api) -> None:
        self._patience_s = patience_s
        self._api = api
        self._is_first = True
        self.reset()

    def reset(self) -> None:
        """Forget how long it was tried."""
        self._began = time.monotonic()
        self._wait_s = FIRST_WAIT_S

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        """Wait for the next try. Raises StopIteration where patience is at its end."""
        if self._is_first:
            self._is_first = False
            return 0
        wait_s = max(self._wait_s, min(self._api.asked_wait_s, MOST_WAIT_S))
        self._api.asked_wait_s = 0.0
        if time.monotonic() + wait_s - self._began > self._patience_s:
            raise StopIteration
        time.sleep(wait_s)
        self._wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return 1


class Api:
    """The API of a platform, asked by one thread at a time.

    url: https, or http on this machine; a path in front of the API's own stays
    patience_s: for how long a request is repeated that finds nobody, or somebody who is not ready
    Raises InputInvalid for another address: a token must not travel in the clear.
    """

    def __init__(self, url: str, token: str, *, patience_s: float) -> None:
        parts = urlsplit(url)
        is_here = _is_loopback(parts.hostname)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
            raise InputInvalid(
                "url",
                f"expected https://…, or http:// on a loopback address, but found {url!r}: a token "
                "must not travel in the clear.",
            )
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self.asked_wait_s = 0.0  # what the last answer asked for
        headers = {"User-Agent": f"mela/{mela.__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.url + PREFIX,
            headers=headers,
            timeout=TIMEOUT,
            trust_env=not is_here,  # no proxy leads to this machine
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, model: type[Model], path: str, **query: Any) -> Model:
        """Return the answer to a GET. Raises the error that the API answers with."""
        return self.ask(model, "GET", path, params=query)

    def ask(self, model: type[Model], method: str, path: str, **words: Any) -> Model:
        """Return the answer to a request that may be sent twice.

        Raises as `read` does, SourceUnavailable where nobody answers for so long, and MelaError for
        an answer that is none of this API.
        """
        content = self.content(method, path, **words)
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise MelaError(
                f"{self.url} does not answer as this release of the client expects: {path}, "
                f"{where}: {first['msg']}. Use the same release of Mela on both sides."
            ) from error

    def content(self, method: str, path: str, **words: Any) -> bytes:
        """Return the body of an answer. Raises as `ask` does."""
        for _ in self.tries():
            with self._away_means_again():
                response = self._http.request(method, path, **words)
                self._check(response)
                return response.content
        raise self.unavailable()

    def tries(self) -> Tries:
        """Return tries that wait longer and longer, until patience is at its end."""
        return Tries(self._patience_s, self)

    @contextmanager
    def _away_means_again(self) -> Generator[None]:
        """Pass over an API that is not there; what else is wrong is raised."""
        try:
            yield
        except (httpx.TransportError, SourceUnavailable) as error:
            self.note_away(error)

    def note_away(self, error: Exception) -> None:
        """Note why the API is asked again, and how long it asked to be left alone."""
        self._why = str(error) or type(error).__name__
        if isinstance(error, SourceUnavailable):
            self.asked_wait_s = error.retry_after_s or 0.0

    def stream(
        self, path: str, headers: Mapping[str, str], silence_s: float, **query: Any
    ) -> AbstractContextManager[httpx.Response]:
        """Open a stream that is cut where nothing comes for so long."""
        timeout = httpx.Timeout(silence_s, connect=10.0)
        return self._http.stream("GET", path, params=query, headers=headers, timeout=timeout)

    def check_stream(self, response: httpx.Response) -> None:
        """Raise the error that a stream begins with, if it does."""
        if response.is_error:
            response.read()
            self._check(response)

    def unavailable(self) -> SourceUnavailable:
        """Return that the API was asked long enough."""
        return SourceUnavailable(
            f"{self.url} does not answer ({self._why}). `mela status` tells whether it runs."
        )

    _why = "nobody was asked"

    def _check(self, response: httpx.Response) -> None:
        if response.is_redirect:
            place = response.headers.get("Location", "elsewhere")
            raise InputInvalid("url", f"{self.url} points to {place}: give that address.")
        if not response.is_error:
            return
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            problem = None
        if problem is None:
            sentence = f"{self.url} answered {response.status_code}, and not as Mela does."
            if response.status_code in AWAY:
                raise SourceUnavailable(sentence)
            raise MelaError(sentence)
        raise error_of(problem, _seconds(response.headers.get("Retry-After")))


def error_of(problem: Problem, retry_after_s: float | None = None) -> MelaError:
    """Return the error of ours that a problem of the API stands for."""
    sentence = problem.detail
    if problem.status in AWAY:
        return SourceUnavailable(sentence, retry_after_s)
    if problem.status == 403:
        return NotAllowed(sentence, problem.code)
    if problem.status == 429:
        return TooManyAttempts(sentence, retry_after_s or 0.0)
    if problem.status == 422 and problem.code in list(RejectionCode) and _is_of_scene(problem):
        return _refused(problem)
    if problem.code == "candles_missing":
        return CandlesMissing(sentence)
    if problem.status in KINDS:
        return KINDS[problem.status](sentence)
    if 400 <= problem.status < 500:
        return InputInvalid(problem.field, sentence)
    return MelaError(sentence)


def _is_of_scene(problem: Problem) -> bool:
    """Tell whether a scene was refused: other arguments have `invalid_field` too."""
    is_published = (problem.instance or "").endswith("/scenes")
    return is_published or problem.code != RejectionCode.INVALID_FIELD


def _refused(problem: Problem) -> SceneInvalid:
    found = SceneInvalid(RejectionCode(problem.code), problem.field, problem.detail)
    found.others = tuple(
        SceneInvalid(RejectionCode(one.code), one.field, one.message)
        for one in problem.faults
        if one.code in list(RejectionCode) and one.field != problem.field
    )
    return found


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
