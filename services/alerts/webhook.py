"""Alerts: one POST to the webhook that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import structlog

from mela.settings import Settings

log = structlog.get_logger()
TIMEOUT_S = 10.0


def post_alert(event: str, about: Mapping[str, Any], settings: Settings) -> bool:
    """Post an alert as JSON; return whether it was delivered. Without a webhook nothing is sent.

    about: what happened; chat services show its `text`
    A webhook that fails is only logged, because it must not hide what it reports. Its address may
    carry a token, so it is never logged.
    """
    if settings.alert_webhook is None:
        return False
    url = settings.alert_webhook.get_secret_value()
    try:
        httpx.post(url, json={"event": event, **about}, timeout=TIMEOUT_S).raise_for_status()
    except httpx.HTTPStatusError as error:
        log.warning("alert_not_delivered", answer=error.response.status_code, **about)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("alert_not_delivered", answer=type(error).__name__, **about)
    else:
        return True
    return False
