"""One's own personal tokens."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.caller import ReaderInPerson
from api.context import AppSettings
from api.models.accounts import NewToken, TokenRow, Tokens, TokenToMake
from services.accounts import tokens

router = APIRouter(tags=["tokens"])


@router.get("/tokens")
def list_tokens(caller: ReaderInPerson, settings: AppSettings) -> Tokens:
    """Return one's own tokens, without their secrets."""
    rows = tokens.every(settings, caller)
    return Tokens(items=[TokenRow.model_validate(row, from_attributes=True) for row in rows])


@router.post("/tokens", status_code=201)
def make_token(
    asked: TokenToMake, request: Request, caller: ReaderInPerson, settings: AppSettings
) -> NewToken:
    """Make a token. Its secret is shown now and never again."""
    made = tokens.make(settings, caller, asked.name, set(asked.scopes), asked.days)
    request.state.audit_subject = str(made.id)
    request.state.audit_detail = {"scopes": sorted(asked.scopes), "days": asked.days}
    return NewToken.model_validate(made, from_attributes=True)


@router.delete("/tokens/{token_id}", status_code=204)
def end_token(token_id: int, caller: ReaderInPerson, settings: AppSettings) -> None:
    """Take one of one's own tokens back."""
    tokens.end(settings, caller, token_id)
