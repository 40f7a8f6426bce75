"""Answer the tests' questions about the DAGs, in a process of its own.

Airflow configures logging, signals and a home folder on import: pytest stays clean of that.
Reads questions as JSON from stdin, writes answers as JSON to the file named first.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from mela.interval import Interval

DAGS = Path(__file__).resolve().parents[2] / "dags"


def intervals(dag: Any, latest: str) -> list[tuple[str, str]]:
    """Return the data intervals that the scheduler, catching up, would run until an instant."""
    infos = dag.iter_dagrun_infos_between(dag.start_date, datetime.fromisoformat(latest))
    found = [info.data_interval for info in infos][-3:]
    return [(one.start.isoformat(), one.end.isoformat()) for one in found]


def accepts(dag: Any, conf: dict[str, Any]) -> bool:
    """Tell whether a trigger with this conf passes the params' schema."""
    try:
        dag.params.deep_merge(conf).validate()
    except ParamValidationError:
        return False
    return True


def said(ask: Any, *arguments: Any) -> Any:
    """Return an answer, or the sentence of the ValueError."""
    try:
        return [instant.isoformat() for instant in ask(*arguments)]
    except ValueError as refused:
        return str(refused)


def main() -> None:
    """Answer every question."""
    questions = json.load(sys.stdin)
    bag = DagBag(str(DAGS))
    rooms = {name.partition(".")[0] for name in sys.modules} & {"warehouse", "sources", "streaming"}
    dag = bag.dags["ingest_candles"]
    code = sys.modules[dag.task_dict["plan_loads"].python_callable.__module__]
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    answers = {
        "errors": bag.import_errors,
        "dags": sorted(bag.dags),
        "rooms_imported": sorted(rooms),
        "catchup": serialized.catchup,
        "tasks": sorted(serialized.task_dict),
        "intervals": intervals(serialized, questions["latest"]),
        "accepts": [accepts(serialized, conf) for conf in questions["confs"]],
        "spans": [
            said(code.span, Interval(interval), params, *map(datetime.fromisoformat, day))
            for interval, params, day in questions["spans"]
        ],
    }
    Path(sys.argv[1]).write_text(json.dumps(answers))


main()
