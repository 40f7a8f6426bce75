"""Invite people, and make an account with an invitation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from api.caller import Admin, address_of
from api.context import AppSettings
from api.models.accounts import (
    InvitationCheck,
    InvitationRow,
    Invitations,
    InvitationToMake,
    Me,
    NewInvitation,
    Registration,
)
from api.routes.session import me, remember, set_cookie
from services.accounts import invitations

router = APIRouter(tags=["invitations"])


@router.get("/invitations")
def list_invitations(caller: Admin, settings: AppSettings) -> Invitations:
    """Return the last 200 invitations, without their secrets."""
    rows = invitations.every(settings)
    found = [InvitationRow.model_validate(row, from_attributes=True) for row in rows]
    return Invitations(items=found)


@router.post("/invitations", status_code=201)
def make_invitation(
    asked: InvitationToMake, request: Request, caller: Admin, settings: AppSettings
) -> NewInvitation:
    """Make an invitation for one person. Its link is shown now and never again."""
    made = invitations.make(settings, caller, asked.role, asked.note, asked.days)
    request.state.audit_subject = str(made.id)
    request.state.audit_detail = {"role": asked.role.value, "days": asked.days}
    return NewInvitation.model_validate(made, from_attributes=True)


@router.delete("/invitations/{invitation_id}", status_code=204)
def end_invitation(invitation_id: int, caller: Admin, settings: AppSettings) -> None:
    """Take an invitation back that nobody used."""
    invitations.end(settings, invitation_id)


@router.get("/invitations/check")
def check_invitation(
    request: Request,
    settings: AppSettings,
    x_invitation: Annotated[str, Header(min_length=1, max_length=200)],
) -> InvitationCheck:
    """Say what an invitation is worth. It comes as a header: addresses end up in logs."""
    role = invitations.role_of(settings, x_invitation, address=address_of(request))
    return InvitationCheck(role=role)


@router.post("/registrations", status_code=201)
def register(
    asked: Registration, request: Request, response: Response, settings: AppSettings
) -> Me:
    """Make an account, and sign in."""
    found = invitations.register(
        settings,
        asked.invitation,
        asked.user,
        asked.password.get_secret_value(),
        address=address_of(request),
        agent=request.headers.get("User-Agent"),
    )
    request.state.caller = found.caller
    set_cookie(response, found.token, settings)
    remember(request, response, found.caller, settings)
    return me(found.caller, settings, found.token)
