"""Make Java trust the machine's own authorities: a Java from PyPI knows public ones only."""

from __future__ import annotations

import os
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.utils import CryptographyDeprecationWarning

_PASSWORD = "changeit"  # noqa: S105 - Java wants one; the certificates are public
_USUAL = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


def java_options(folder: Path) -> tuple[str, ...]:
    """Return Java options to trust the machine's own authorities; empty if none are found.

    folder: where the trust store is written
    """
    bundle = _bundle()
    if bundle is None:
        return ()
    with warnings.catch_warnings():
        # Some authorities in every machine's bundle have serial numbers that are against the rules.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        found = x509.load_pem_x509_certificates(bundle.read_bytes())
    entries = [PKCS12Certificate(cert, f"ca-{i}".encode()) for i, cert in enumerate(found)]
    store = folder / "trusted.p12"
    store.write_bytes(
        serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD.encode()))
    )
    return (
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    )


def _bundle() -> Path | None:
    configured = os.environ.get("SSL_CERT_FILE")
    candidates = ([configured] if configured else []) + [
        ssl.get_default_verify_paths().cafile or "",
        *_USUAL,
    ]
    return next((Path(name) for name in candidates if name and Path(name).is_file()), None)
