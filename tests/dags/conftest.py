"""An Airflow of the tests' own, on the real Postgres and the packaged candles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import stack
from mela.settings import REPOSITORY, Settings
from replay import create_server
from stack import orchestration
from warehouse.database import transaction

MOST_TASKS = 6  # far below Airflow's 1,024: a plan of more series must work


@dataclass
class Alerts:
    """What reached the webhook, which answers as it is told."""

    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    status: int = 204


@dataclass
class Airflow:
    """Airflow as an operator sees it: runs of DAGs, and what became of them."""

    process: subprocess.Popen[str]
    answers: Any
    log: Path
    settings: Settings

    def run(self, dag: str, *, date: str | None = None, **conf: Any) -> dict[str, Any]:
        """Run a DAG once, by hand and with these params."""
        return self._ask({"do": "run", "dag": dag, "date": date, "conf": conf})

    def backfill(self, dag: str, *words: str) -> list[str]:
        """Call `airflow backfill create`; return the states in which its runs ended."""
        return self._ask({"do": "backfill", "dag": dag, "words": words})["states"]

    def queue(self, dag: str, run_id: str) -> None:
        """Leave a run of a DAG waiting."""
        self._ask({"do": "queue", "dag": dag, "run_id": run_id})

    def unqueue(self, dag: str, run_id: str) -> None:
        """Remove a run that waits."""
        self._ask({"do": "unqueue", "dag": dag, "run_id": run_id})

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse, as its owner."""
        with transaction(self.settings) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def change(self, statement: str) -> None:
        """Change the warehouse behind everybody's back."""
        with transaction(self.settings) as connection:
            connection.exec_driver_sql(statement)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = self.answers.readline()
        assert answer, self.log.read_text(errors="replace")[-6_000:]
        return json.loads(answer)


@pytest.fixture(scope="session")
def alerts() -> Iterator[Alerts]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.heard.append(json.loads(body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Alerts(f"http://127.0.0.1:{server.server_port}/hook/a-token")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="session")
def kafka(postgres: Settings) -> Settings:
    """A broker beside that Postgres; `postgres` stops both."""
    return stack.up(postgres, only={"kafka"})


@pytest.fixture(scope="module")  # its scheduler and its tasks would go on beside other tests
def airflow(
    postgres: Settings, alerts: Alerts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    _, environment = orchestration.command_line(postgres)
    reader, writer = os.pipe()
    with create_server() as replay, (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("operate.py"), str(writer)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(writer,),
            env=environment
            | {
                "PYTHONPATH": str(REPOSITORY),
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
                "AIRFLOW__CORE__MAX_MAP_LENGTH": str(MOST_TASKS),
                "MELA_REPLAY_URL": replay.url,
                "MELA_ALERT_WEBHOOK": alerts.url,
            },
        )
        os.close(writer)
        with os.fdopen(reader) as answers:
            yield Airflow(process, answers, home / "log", postgres)
            assert process.stdin
            process.stdin.close()
            assert process.wait(60) == 0, (home / "log").read_text(errors="replace")[-6_000:]
