from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from mela.settings import Settings


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.org/x", "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/x"],
)
def test_alerts_go_out_encrypted_or_stay_on_this_machine(url: str) -> None:
    assert Settings(alert_webhook=SecretStr(url)).alert_webhook == SecretStr(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/a-token",
        "http://127.0.0.1.example.org/a-token",
        "ftp://localhost/a-token",
        "a-token",
    ],
)
def test_another_webhook_is_refused_without_telling_its_secret(url: str) -> None:
    with pytest.raises(ValidationError, match="expected https://") as refused:
        Settings(alert_webhook=SecretStr(url))
    assert "a-token" not in str(refused.value)
