"""Files for other images in containers: settings of Postgres and Kafka, Kafka's certificates.

Files of the clone cannot be mounted: after a clone with a strict umask only its owner could read
them. A container of our image lays them into volumes instead, readable by whom they concern.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stack import broker, certificates, database, guard
from stack.service import Site

SETTINGS, AUTHORITY = "settings", "authority"  # folders of the home, each a volume
NAMES = ("kafka", "localhost", "127.0.0.1")  # by which clients call the broker in containers
_EVERYBODY, _GROUP = 0o644, 0o640


def lay(site: Site) -> None:
    """Write all of it, and leave certificates that are still good."""
    settings, tls = site.home / SETTINGS, guard.folder(site.home)
    certificates.ensure(tls, NAMES, broker_mode=_GROUP)
    _copy(tls / certificates.AUTHORITY, site.home / AUTHORITY / certificates.AUTHORITY)
    _copy(database.CONFIG, settings / "postgresql.conf")
    known = broker.CONFIG.read_text(encoding="utf-8")
    guarded = guard.broker_properties(site.home, ("clients", "outside"))
    _write(settings / "server.properties", known + guarded)


def _copy(source: Path, target: Path) -> None:
    new = target.with_name(f".{target.name}")
    shutil.copyfile(source, new)
    new.chmod(_EVERYBODY)
    new.replace(target)


def _write(target: Path, text: str) -> None:
    new = target.with_name(f".{target.name}")
    new.write_text(text, encoding="utf-8")
    new.chmod(_EVERYBODY)
    new.replace(target)
