"""Errors as `application/problem+json` (RFC 9457), each with a code for machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.models.problem import Problem
from api.models.scenes import Fault
from mela.errors import (
    AccessDenied,
    CandlesInvalid,
    CandlesMissing,
    Conflict,
    InputInvalid,
    MelaError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refused,
    SceneInvalid,
    SourceRefused,
    SourceUnavailable,
    StackFailed,
    StrategyBroken,
    TooManyAttempts,
)
from services.errors import explained

LOG = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
    504: "Took too long",
}
CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "changed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_field",
    429: "too_many_attempts",
    500: "internal",
    503: "unavailable",
    504: "timed_out",
}
# The first kind that fits decides.
KINDS: tuple[tuple[type[MelaError], int, str], ...] = (
    (NotSignedIn, 401, "not_signed_in"),
    (NotAllowed, 403, "not_allowed"),
    (NotFound, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (InputInvalid, 422, "invalid_field"),
    (Refused, 422, "invalid_field"),
    (TooManyAttempts, 429, "too_many_attempts"),
    (CandlesMissing, 409, "candles_missing"),
    (CandlesInvalid, 409, "candles_invalid"),
    (SourceRefused, 422, "source_refused"),
    (StrategyBroken, 422, "strategy_broken"),
    (SourceUnavailable, 503, "unavailable"),
    (AccessDenied, 503, "unavailable"),
    (StackFailed, 503, "unavailable"),
)
_OUTSIDE = (AccessDenied, StackFailed)  # their sentences name users and addresses inside


def answer(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    field: str | None = None,
    faults: list[Fault] | None = None,
    instance: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem as a response."""
    code = code or CODES.get(status, "error")
    problem = Problem(
        type=f"urn:mela:problem:{code}",
        title=TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        code=code,
        field=field,
        faults=tuple(faults or ()),
        instance=instance,
    )
    return JSONResponse(
        problem.model_dump(mode="json"), status, headers=headers, media_type=MEDIA_TYPE
    )


def of_error(error: MelaError, instance: str | None = None) -> JSONResponse:
    """Return the problem that an error of ours is to the caller."""
    for kind, status, code in KINDS:
        if isinstance(error, kind):
            return _of_kind(error, status, code, instance)
    LOG.error("request_failed", error=str(error), kind=type(error).__name__)
    return answer(500, "something is wrong on our side; the log says what.", instance=instance)


def _of_kind(error: MelaError, status: int, code: str, instance: str | None) -> JSONResponse:
    headers: dict[str, str] = {}
    detail, field = str(error), None
    faults: list[Fault] = []
    if isinstance(error, NotAllowed):
        code = error.code
    if isinstance(error, InputInvalid):
        detail, field = error.sentence, error.field
        faults = [Fault(code=code, field=field, message=detail)]
    if isinstance(error, Refused):
        code, detail, field = error.code.value, error.sentence, error.field
        others = error.others if isinstance(error, SceneInvalid) else ()
        faults = [
            Fault(code=one.code.value, field=one.field, message=one.sentence)
            for one in (error, *others)
        ]
    if isinstance(error, TooManyAttempts | SourceUnavailable) and error.retry_after_s:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="mela"'
    if isinstance(error, _OUTSIDE):
        LOG.error("service_failed", error=detail)
        detail = "a service that this needs does not work; an administrator can see which."
    return answer(
        status, detail, code=code, field=field, faults=faults, instance=instance, headers=headers
    )


def install(app: FastAPI) -> None:
    """Let an application answer all errors as problems."""
    handlers: dict[type[Exception] | int, Callable[[Request, Any], JSONResponse]] = {
        MelaError: lambda request, error: of_error(error, request.url.path),
        DBAPIError: _of_database,
        PoolTimeout: lambda request, _: answer(
            503,
            "the warehouse has too many questions to answer; try again in a moment.",
            instance=request.url.path,
            headers={"Retry-After": "1"},
        ),
        RequestValidationError: _of_request,
        HTTPException: _of_http,
        Exception: _of_surprise,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _of_database(request: Request, error: DBAPIError) -> JSONResponse:
    known = explained(error)
    if known is not None:
        return of_error(known, request.url.path)
    return _of_surprise(request, error)


def _of_request(request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [
        Fault(
            code="invalid_field",
            field=".".join(str(part) for part in found["loc"][1:]) or None,
            message=str(found["msg"]),
        )
        for found in error.errors()
    ]
    first = faults[0]
    detail = f"{first.field}: {first.message}" if first.field else first.message
    return answer(422, detail, field=first.field, faults=faults, instance=request.url.path)


def _of_http(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers) if error.headers else None
    return answer(error.status_code, str(error.detail), instance=request.url.path, headers=headers)


def _of_surprise(request: Request, error: Exception) -> JSONResponse:
    LOG.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    return answer(
        500, "something is wrong on our side; the log says what.", instance=request.url.path
    )
