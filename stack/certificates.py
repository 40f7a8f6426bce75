"""The certificates of a guarded Kafka: an authority of this stack alone, and what it signs.

The authority's key is never written: it signs two certificates and is gone, so nobody can make a
third. If they are about to expire, or the broker's names change, all are made anew.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY, BROKER, ADMIN = "ca.pem", "broker.pem", "admin.pem"
BROKER_NAME, ADMIN_NAME = "mela-broker", "mela-admin"  # how Kafka knows who holds them
_LASTS = timedelta(days=730)
_RENEWED = timedelta(days=60)
_SKEW = timedelta(days=1)  # a clock elsewhere may be behind


def ensure(folder: Path, names: Collection[str], *, broker_mode: int = 0o600) -> bool:
    """Make the authority, the broker's and the administrator's certificates where needed.

    folder: where they are: ca.pem, which is public, broker.pem and admin.pem, with their keys
    names: the host names and addresses by which clients call the broker
    broker_mode: of broker.pem; 0o640 lets a broker in another container read it by its group
    returns: whether they were made now
    """
    if _are_good(folder, names):
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("mela-authority")
    authority = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    signed = {
        BROKER: _signed(BROKER_NAME, key, authority, names),
        ADMIN: _signed(ADMIN_NAME, key, authority, ()),
    }
    for file, mode in ((BROKER, broker_mode), (ADMIN, 0o600)):
        _write(folder / file, signed[file], mode)
    # last: it says that all is there
    _write(folder / AUTHORITY, authority.public_bytes(Encoding.PEM), 0o644)
    return True


def _are_good(folder: Path, names: Collection[str]) -> bool:
    try:
        authority = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        for file in (BROKER, ADMIN):
            one = x509.load_pem_x509_certificate((folder / file).read_bytes())
            one.verify_directly_issued_by(authority)
            if one.not_valid_after_utc - datetime.now(UTC) < _RENEWED:
                return False
            if file == BROKER:
                known = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
                if list(known) != list(_alternatives(names)):
                    return False
    except Exception:  # noqa: BLE001 - whatever is wrong with a file, new ones replace it
        return False
    return True


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    names: Collection[str],
) -> bytes:
    """Return a new key and its certificate, as PEM."""
    own = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
    uses += [ExtendedKeyUsageOID.SERVER_AUTH] if names else []
    builder = (
        _builder(_name(name), authority.subject, own.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    )
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LASTS)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Collection[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in sorted(names)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write(path: Path, content: bytes, mode: int) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
    new.chmod(mode)
    new.replace(path)
