"""Write candles as Parquet files, for clusters that would overload a single Postgres.

It runs once a week, and by hand with another target or fewer series. Series that have not changed
since the last snapshot there are not written again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from policies import EVERY_DAG, clock

from mela.instrument import NAME
from mela.interval import Interval

PARAMS = {
    "to": Param(
        None,
        type=["string", "null"],
        minLength=1,
        title="Target",
        description_md="A folder, or `s3://bucket/path`. Empty: `snapshots/candles` in MELA_HOME.",
    ),
    "instruments": Param(
        None,
        type=["array", "null"],
        items={"type": "string", "pattern": f"^({NAME.pattern})?$"},
        title="Instruments",
        description_md="One a line, as `binance:BTCUSDT`. Empty: all.",
    ),
    "intervals": Param(
        None,
        type=["array", "null"],
        items={"type": "string", "enum": [str(one) for one in Interval]},
        examples=[str(one) for one in Interval],
        title="Intervals",
        description_md="Empty: all.",
    ),
}


@dag(
    schedule=clock("0 6 * * 0"),
    max_active_runs=1,
    params=PARAMS,
    description="Write candles as Parquet files, to a folder or to S3.",
    doc_md=__doc__,
    tags=["candles"],
    **EVERY_DAG,
)
def snapshot_candles() -> None:
    """Define the DAG: one task that writes the changed series."""

    @task(execution_timeout=timedelta(hours=6))
    def write(params: Any = None) -> dict[str, Any]:
        """Write the snapshot and return its summary."""
        from dataclasses import asdict

        from mela.settings import Settings
        from warehouse.candles.snapshot import write_snapshot

        settings = Settings()
        report = write_snapshot(
            settings,
            params["to"] or str(settings.home / "snapshots" / "candles"),
            instruments=[name for name in params["instruments"] or () if name] or None,
            intervals=params["intervals"] or None,
        )
        return asdict(report)

    write()


snapshot_candles()
