"""Airflow's pools: how many tasks may call one market-data service at once."""

from __future__ import annotations

import json

from mela.settings import REPOSITORY
from stack import http
from stack.service import Site

POOLS = REPOSITORY / "dags" / "pools.json"  # in the form of `airflow pools import`


def ensure(site: Site) -> None:
    """Create missing pools. An existing pool keeps its slots."""
    airflow = site.settings.airflow
    sign_in = {"username": airflow.user, "password": airflow.password.get_secret_value()}
    token = http.ask("POST", f"{airflow.url}/auth/token", sign_in)["access_token"]
    signed = {"Authorization": f"Bearer {token}"}
    pools = f"{airflow.url}/api/v2/pools"
    there = http.ask("GET", f"{pools}?limit=1000", headers=signed)["pools"]
    known = {pool["name"] for pool in there}
    for name, pool in json.loads(POOLS.read_text(encoding="utf-8")).items():
        if name not in known:
            http.ask("POST", pools, {"name": name, **pool}, signed)
