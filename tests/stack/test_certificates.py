"""stack/certificates.py: what is good stays, what is not is made anew, keys are for their owner."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from stack import certificates

NAMES = ("127.0.0.1", "localhost")


def test_good_certificates_stay(tmp_path: Path) -> None:
    assert certificates.ensure(tmp_path, NAMES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not certificates.ensure(tmp_path, NAMES)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_keys_are_for_their_owner_and_the_authority_keeps_none(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, NAMES)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"ca.pem": 0o644, "broker.pem": 0o600, "admin.pem": 0o600}
    assert b"PRIVATE KEY" not in (tmp_path / "ca.pem").read_bytes()


@pytest.mark.parametrize("file", ["ca.pem", "broker.pem", "admin.pem"])
def test_a_damaged_or_a_missing_one_is_made_anew(tmp_path: Path, file: str) -> None:
    certificates.ensure(tmp_path, NAMES)
    (tmp_path / file).write_text("nothing of the kind", encoding="utf-8")
    assert certificates.ensure(tmp_path, NAMES)
    (tmp_path / file).unlink()
    assert certificates.ensure(tmp_path, NAMES)
    assert not certificates.ensure(tmp_path, NAMES)


def test_other_names_and_a_near_end_bring_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.ensure(tmp_path, NAMES)
    assert certificates.ensure(tmp_path, (*NAMES, "kafka"))
    broker = x509.load_pem_x509_certificate((tmp_path / "broker.pem").read_bytes())
    names = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "kafka"}
    monkeypatch.setattr(certificates, "_LASTS", timedelta(days=59))
    (tmp_path / "broker.pem").unlink()
    assert certificates.ensure(tmp_path, NAMES)
    assert certificates.ensure(tmp_path, NAMES)  # they end within the sixty days of renewal
