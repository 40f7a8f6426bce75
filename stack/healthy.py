"""Probe the service of this container in milliseconds: `python -I -S stack/healthy.py`.

A container asks every few seconds, so this file imports what Python itself is made of and nothing
else. `mela status` judges by the same functions. It exits with 0, or with 1 and what is missing.
"""

# ruff: noqa: PTH123 - pathlib takes as long to load as all the rest
from __future__ import annotations

import json
import os
import socket
import sys
import time
from datetime import datetime

TIMEOUT_S = 10.0
STALE_S = 60.0  # a monitor that has not looked for this long does nothing
HANGS_S = 20.0  # a process that trades whose loop has said nothing for this long hangs
SILENT_S = 45.0  # a job that has not written its state for this long does nothing
API_SERVER = "airflow-api-server"
NOT_AGAIN = "its queries have not started again yet"


def airflow(health: dict[str, dict[str, str]], name: str, started_at: float) -> str | None:
    """Return what is missing of a component of Airflow, by what its API says; None if nothing.

    started_at: when the component's process started, in seconds since 1970
    """
    if name == API_SERVER:
        status = health["metadatabase"]["status"]
        return None if status == "healthy" else f"its metadata database is {status}"
    part = name.removeprefix("airflow-").replace("-", "_")
    status, beat = health[part]["status"], health[part].get(f"latest_{part}_heartbeat")
    if status != "healthy" or not beat:
        return f"Airflow's health says {part} is {status}"
    if datetime.fromisoformat(beat).timestamp() < started_at:
        return f"{part} has not sent a heartbeat since it started"
    return None


def mlflow(answer: bytes) -> str | None:
    """Return what is missing of MLflow, by the answer to /health."""
    return None if answer.strip() == b"OK" else f"/health says {answer.strip()[:80]!r}"


def api(answer: bytes) -> str | None:
    """Return what is missing of the web application, by the answer to its /health."""
    status = json.loads(answer)["status"]
    return None if status == "ok" else f"/health says {status!r}"


def master(state: dict[str, str]) -> str | None:
    """Return what is missing of Spark's master, by what it says of itself."""
    return None if state["status"] == "ALIVE" else f"the master says that it is {state['status']}"


def worker(own_id: str, workers: list[dict[str, str]]) -> str | None:
    """Return what is missing of a worker: the master's word counts, which may have lost it."""
    states = [one["state"] for one in workers if one["id"] == own_id]
    return None if states == ["ALIVE"] else f"the master says of {own_id}: {states or 'unknown'}"


def monitor(pid: int, at: float, running_pid: int, now: float) -> str | None:
    """Return what is missing of the monitor, by what it wrote when it last looked.

    at, now: seconds since 1970
    """
    if pid != running_pid:
        return "it has not looked at the services yet"
    age_s = now - at
    return f"it last looked at the services {age_s:.0f} s ago" if age_s > STALE_S else None


def live(pid: int, at: str, running_pid: int, now: float) -> str | None:
    """Return what is missing of the process that trades, by its last sign of life.

    at: an instant in ISO 8601; now: seconds since 1970
    """
    if pid != running_pid:
        return "it has not begun yet"
    age_s = now - datetime.fromisoformat(at).timestamp()
    return f"its loop has said nothing for {age_s:.0f} s" if age_s > HANGS_S else None


def trainer(pid: int, at: str, running_pid: int, now: float) -> str | None:
    """Return what is missing of the process that trains, by its last sign of life.

    at: an instant in ISO 8601; now: seconds since 1970
    """
    if pid != running_pid:
        return "it has not begun yet"
    age_s = now - datetime.fromisoformat(at).timestamp()
    return f"it has said nothing for {age_s:.0f} s" if age_s > STALE_S else None


def silence(at: str, now: float) -> str | None:
    """Return what is wrong with a job that wrote its state too long ago; None if it did not.

    at: an instant in ISO 8601; now: seconds since 1970
    """
    age_s = now - datetime.fromisoformat(at).timestamp()
    if age_s <= SILENT_S:
        return None
    return f"it runs, but has said nothing of its queries for {age_s:.0f} s"


def job(pid: int, ready: bool, running_pid: int) -> str | None:
    """Return what is missing of the streaming job, by the state that it wrote.

    pid, ready: of that state. Process ids repeat in containers, which forget an older state first
    running_pid: of the process that runs now
    """
    if pid != running_pid:
        return NOT_AGAIN
    return None if ready else "its queries have not all started yet"


def started_at(pid: int) -> float:
    """Return when a process started, in seconds since 1970. Raises OSError if there is none."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime", encoding="ascii") as file:
        up_s = float(file.read().split()[0])
    return time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK")


def _get(url: str) -> bytes:
    """Return the body of an answer, by HTTP/1.0: no library is loaded for it."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    parts: list[bytes] = []
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
            while part := connection.recv(65_536):
                parts.append(part)
    except OSError as error:
        raise ConnectionError(f"no answer from {url}: {error}") from error
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        first = head.splitlines()[0] if head else b"nothing"
        raise ConnectionError(f"{url} answered {first.decode(errors='replace')}")
    return body


def _json(url: str) -> dict[str, object]:
    return json.loads(_get(url))


def _missing(name: str, pid: int, environment: dict[str, str]) -> str | None:
    home = environment["MELA_HOME"]
    if name.startswith("airflow-"):
        health = _json(f"{environment['MELA_AIRFLOW__URL']}/api/v2/monitor/health")
        return airflow(health, name, started_at(pid))  # type: ignore[arg-type]
    if name == "mlflow":
        return mlflow(_get(f"{environment['MELA_MLFLOW__URL']}/health"))
    if name == "api":
        return api(_get(f"{environment['MELA_API__URL']}/api/v1/health"))
    if name == "monitor":
        with open(f"{home}/run/watchdog.json", encoding="utf-8") as file:
            looked = json.load(file)
        missing = monitor(looked["pid"], looked["at"], pid, time.time())
        return missing if missing else _answers(environment["MELA_MONITOR__METRICS_URL"])
    if name == "live":
        with open(f"{home}/run/live.json", encoding="utf-8") as file:
            alive = json.load(file)
        return live(alive["pid"], alive["at"], pid, time.time())
    if name == "trainer":
        with open(f"{home}/run/trainer.json", encoding="utf-8") as file:
            alive = json.load(file)
        return trainer(alive["pid"], alive["at"], pid, time.time())
    if name == "replay":
        where = ("127.0.0.1", int(environment["MELA_STACK_REPLAY_PORT"]))
        socket.create_connection(where, timeout=TIMEOUT_S).close()
        return None
    if name.startswith("spark-"):
        return _cluster(name, environment)
    with open(f"{home}/spark/state.json", encoding="utf-8") as file:
        state = json.load(file)
    missing = job(state["pid"], state["ready"], pid)
    if missing == NOT_AGAIN:
        return missing
    if quiet := silence(state["at"], time.time()):
        return quiet
    unwell = [
        f"the query {one['name']} fails: {one['reason']}"
        if one["failing_since"]
        else f"the query {one['name']} is stuck"
        for one in state["queries"]
        if one["failing_since"] or one["stuck_since"]
    ]
    return "; ".join(unwell) or missing


def _answers(url: str) -> None:
    _get(url)


def _tell(home: str, name: str, pid: int, missing: str | None) -> None:
    """Have the watchdog's rule judge a service that was well and is not, or is well again.

    The rule needs modules that take most of a second to load, so it is asked only then.
    """
    well, unwell = f"{home}/run/well", f"{home}/run/unwell"
    was_well, was_unwell = _read(well) == str(pid), _read(unwell) is not None
    if missing is None and not was_well:
        _write(well, str(pid))
    if was_unwell if missing is None else was_well:
        import subprocess

        words = ["unwell", name, str(pid), *([missing] if missing else [])]
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
        subprocess.run([sys.executable, "-m", "stack.container", *words], cwd=root, check=False)
        if missing is None:
            os.remove(unwell)  # noqa: PTH107
        else:
            _write(unwell, missing)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _cluster(name: str, environment: dict[str, str]) -> str | None:
    host = environment["MELA_SPARK__MASTER"].removeprefix("spark://").partition(":")[0]
    port = environment.get("MELA_STACK_SPARK_MASTER_UI_PORT", "8080")
    state = _json(f"http://{host}:{port}/json/")
    if name == "spark-master":
        return master(state)  # type: ignore[arg-type]
    own = environment.get("MELA_STACK_SPARK_WORKER_HOST", socket.gethostname())
    port = environment.get("MELA_STACK_SPARK_WORKER_UI_PORT", "8081")
    own_id = _json(f"http://{own}:{port}/json/")["id"]
    return worker(str(own_id), state["workers"])  # type: ignore[arg-type]


def main() -> int:
    """Ask the service that `stack.container serve` started in this container."""
    environment = dict(os.environ)
    try:
        with open(f"{environment['MELA_HOME']}/run/serving.json", encoding="utf-8") as file:
            name, pid = json.load(file)
    except FileNotFoundError:
        print("this container serves nothing yet", file=sys.stderr)  # noqa: T201
        return 1
    try:
        missing = _missing(name, pid, environment)
    except FileNotFoundError:
        missing = "its queries have not started yet" if name == "spark" else "it does not run"
    except ConnectionError as error:
        missing = str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = f"it gave no answer that can be read ({type(error).__name__}: {error})"
    _tell(environment["MELA_HOME"], name, pid, missing)
    if missing is not None:
        print(f"{name}: {missing}", file=sys.stderr)  # noqa: T201
    return 0 if missing is None else 1


if __name__ == "__main__":
    sys.exit(main())
