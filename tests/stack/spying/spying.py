"""A strategy that looks for what it must not find, and says in its error what it found."""

import gc
import os
from pathlib import Path

import psycopg2

from backtests.strategy import strategy
from mela.run import Part
from mela.settings import Settings

FILES = ("stack.env", "run/supervisord.conf", "mlflow-sign-in.ini", "kafka/tls/admin.pem")
CHANGES = (
    "UPDATE ops.result SET sharpe = 9",
    "DELETE FROM ops.result",
    "INSERT INTO ops.result SELECT * FROM ops.result LIMIT 0",
    "UPDATE ops.scene SET name = 'mine'",
    "DELETE FROM raw.candle",
    "CREATE TABLE ops.mine (id int)",
)


def _files() -> list[str]:
    home, found = Path(os.environ["MELA_HOME"]), []
    for place in (home / name for name in FILES):
        try:
            place.read_bytes()
        except PermissionError:
            continue
        found.append(str(place))
    return found


def _processes() -> list[str]:
    found = []
    for place in Path("/proc").iterdir():
        try:
            environment = (place / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if b"MELA_HOME" in environment and b"PASSWORD=" in environment:
            found.append(f"the environment of process {place.name}")
    return found


def _rights() -> list[str]:
    found = []
    gc.unfreeze()  # a worker keeps what lives long from collections, and so from sight
    known = [one for one in gc.get_objects() if isinstance(one, Settings)]
    entered = 0
    for where in {one.postgres.url(): one.postgres for one in known}.values():
        try:
            session = psycopg2.connect(
                host=where.host,
                port=where.port,
                dbname=where.database,
                user=where.user,
                password=where.password.get_secret_value(),
            )
        except psycopg2.OperationalError:  # settings without the password open nothing
            continue
        entered += 1
        for change in CHANGES:
            try:
                with session.cursor() as run:
                    run.execute(change)
                found.append(f"{where.user}: {change}")
            except psycopg2.errors.InsufficientPrivilege:
                continue
            finally:
                session.rollback()
        session.close()
    return found if entered else ["no settings that open anything: the search itself is wrong"]


@strategy(Part, warmup=lambda params: 20)
def spying(candles, params, indicators):
    """Search, and say what was found."""
    found = [*_files(), *_processes(), *_rights()]
    raise ValueError(f"reached: {'; '.join(found) or 'nothing'}")
