"""The built pages: hashed files that never change, and index.html for every page's address."""

from __future__ import annotations

import mimetypes
import secrets
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from mela.settings import REPOSITORY

DIST = REPOSITORY / "web" / "dist"
NONCE = "__CSP_NONCE__"  # in index.html, replaced in each answer
HASHED = "assets"  # the folder of files whose names hold a hash of their content
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_FOREVER = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=3600"
_PACKED = (("br", ".br"), ("gzip", ".gz"))  # written beside a file by the build, if at all


def install(app: FastAPI, dist: Path) -> None:
    """Let an application answer all that is not of the API with the built pages.

    dist: the folder that the build wrote; read at each request, so that it may come later
    """

    async def page(path: str, request: Request) -> Response:
        if path.startswith("api/"):
            raise HTTPException(404, "there is no such route.")
        found = file_of(dist, path)
        if found is not None:
            return _file(found, request, is_hashed=path.startswith(f"{HASHED}/"))
        if path and "text/html" not in request.headers.get("Accept", ""):
            raise HTTPException(404, "there is no such file.")
        return _index(dist)

    app.add_api_route(
        "/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False, response_model=None
    )


def file_of(dist: Path, path: str) -> Path | None:
    """Return a file of the build by its address; None where there is none, or outside of it."""
    if not path or any(part.startswith(".") for part in path.split("/")):
        return None
    try:
        found = (dist / path).resolve(strict=True)
    except (OSError, ValueError):
        return None
    is_inside = found.is_relative_to(dist.resolve()) and found.is_file()
    return found if is_inside and found.name != "index.html" else None


def _file(found: Path, request: Request, *, is_hashed: bool) -> Response:
    headers = {"Cache-Control": _FOREVER if is_hashed else _SHORT, "Vary": "Accept-Encoding"}
    kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    taken = {
        word.partition(";")[0].strip()
        for word in request.headers.get("Accept-Encoding", "").split(",")
    }
    for encoding, ending in _PACKED:
        packed = found.with_name(found.name + ending)
        if encoding in taken and packed.is_file():
            return FileResponse(
                packed, headers={**headers, "Content-Encoding": encoding}, media_type=kind
            )
    return FileResponse(found, headers=headers, media_type=kind)


def _index(dist: Path) -> Response:
    file = dist / "index.html"
    if not file.is_file():
        raise HTTPException(
            503, "the pages were not built yet; `make setup` builds them. The API is at /api/v1."
        )
    nonce = secrets.token_urlsafe(18)
    content = file.read_text(encoding="utf-8").replace(NONCE, nonce)
    policy = _POLICY.format(nonce=nonce)
    return HTMLResponse(
        content, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    )
