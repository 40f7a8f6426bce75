"""The Spark session of the streaming job, and what makes a small batch cheap in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from mela.settings import Settings

POOLS = Path(__file__).with_name("pools.xml")
# Four small files a batch and query: without these, each costs two processes (`chmod`) more.
LOCAL_CHECKPOINTS = {
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming."
    "checkpointing.FileSystemBasedCheckpointFileManager",
}
AUTH_SECRET = "_SPARK_AUTH_SECRET"  # noqa: S105 - the name of Spark's own variable
POLLING = "100ms"  # how long an idle query waits before it asks Kafka again


def session(settings: Settings) -> SparkSession:
    """Return the Spark session, on loopback alone unless workers elsewhere must find the driver."""
    is_alone = settings.spark.driver_host == "127.0.0.1"  # or with workers on this machine
    jars = settings.spark.jars.replace(",", ":")
    secret = settings.spark.secret.get_secret_value()
    builder: SparkSession.Builder = SparkSession.builder  # pyright: ignore[reportAssignmentType]
    if secret:
        os.environ[AUTH_SECRET] = secret  # which counts before the option
    scratch = settings.home / "spark" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        "spark.master": settings.spark.master,
        "spark.app.name": "mela",
        "spark.jars": settings.spark.jars,
        "spark.driver.memory": settings.spark.driver_memory,
        # The JVM only hands batches over: its second compiler costs more here than it saves.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
        f"-Djava.io.tmpdir={scratch}",  # /tmp may be closed: see `confinement`
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        + (f" -Djava.io.tmpdir={scratch}" if is_alone else ""),
        "spark.driver.host": settings.spark.driver_host,
        "spark.driver.bindAddress": "127.0.0.1" if is_alone else "0.0.0.0",  # noqa: S104
        "spark.executor.memory": settings.spark.executor_memory,
        "spark.authenticate": "true" if secret else "",
        # It must be set, and everybody could read it in the arguments of the JVM.
        "spark.authenticate.secret": f"in {AUTH_SECRET}" if secret else "",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.scheduler.allocation.file": str(POOLS),
        "spark.sql.warehouse.dir": str(settings.home / "spark" / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        # A batch has a few rows, and code made for it costs more than it saves.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.streaming.minBatchesToRetain": "20",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.streaming.pollingDelay": POLLING,
        "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
        # on the class path from the start, as LOCAL_CHECKPOINTS are asked for before spark.jars are
        "spark.driver.extraClassPath": jars,
        "spark.executor.extraClassPath": "" if settings.spark.master.startswith("local") else jars,
        # Kafka's source asks for the executor that read a partition before, and a task would wait
        # for it, three seconds if it is busy: longer than reading takes anywhere.
        "spark.locality.wait": "0s",
        **LOCAL_CHECKPOINTS,
        "spark.python.daemon.module": "streaming.daemon",
        "spark.python.worker.reuse": "true",
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
    }
    for name, value in options.items():
        if value:
            builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark
