"""Files for other images in containers: their settings, Grafana's boards, Kafka's certificates.

Files of the clone cannot be mounted: after a clone with a strict umask only its owner could read
them. A container of our image lays them into volumes instead, readable by whom they concern.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stack import broker, certificates, database, guard
from stack.service import Site

# folders of the home, each a volume
SETTINGS, AUTHORITY, MONITORING = "settings", "authority", "monitoring"
NAMES = ("kafka", "localhost", "127.0.0.1")  # by which clients call the broker in containers
_EVERYBODY, _GROUP, _ENTERED = 0o644, 0o640, 0o755
_WATCHERS = Path(__file__).with_name("monitoring")
_FOLDERS = ("boards", "grafana", "grafana/datasources", "grafana/dashboards")
# a file of stack/monitoring, and where Prometheus and Grafana look for it
_READ_BY_WATCHERS = {
    "prometheus.yml": "prometheus.yml",
    "alerts.yml": "alerts.yml",
    "datasource.yml": "grafana/datasources/mela.yml",
    "dashboards.yml": "grafana/dashboards/mela.yml",
    "dashboard.json": "boards/dashboard.json",
    "trading.json": "boards/trading.json",
}


def lay(site: Site) -> None:
    """Write all of it, and leave certificates that are still good."""
    settings, tls = site.home / SETTINGS, guard.folder(site.home)
    certificates.ensure(tls, NAMES, broker_mode=_GROUP)
    _copy(tls / certificates.AUTHORITY, site.home / AUTHORITY / certificates.AUTHORITY)
    _copy(database.CONFIG, settings / "postgresql.conf")
    known = broker.CONFIG.read_text(encoding="utf-8")
    guarded = guard.broker_properties(site.home, ("clients", "outside"))
    _write(settings / "server.properties", known + guarded)
    watching = site.home / MONITORING
    for folder in _FOLDERS:
        (watching / folder).mkdir(exist_ok=True)
        (watching / folder).chmod(_ENTERED)
    for source, target in _READ_BY_WATCHERS.items():
        _copy(_WATCHERS / source, watching / target)


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
