"""Finish the work of an older release: results that it sent as documents and did not record.

Until results travelled as columns, the query `record` read `mela.results`. A job of this release
that finds that query's checkpoint first records what the query had not read yet.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

import orjson
import structlog
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from mela.errors import MessageInvalid, RejectionCode
from mela.messages import RESULTS, MessagePosition
from mela.result import Result
from mela.scene import fault_sentence, field_path
from mela.settings import Settings
from messaging.connection import spark_options
from messaging.publisher import publisher_of
from streaming.record import ResultMessage, send_progress
from warehouse.database import transaction
from warehouse.results import finder as results

log = structlog.get_logger()
AT_ONCE = 16_000  # documents in a batch


def record_what_is_left(spark: SparkSession, settings: Settings) -> None:
    """Record the documents that an older release's `record` had not read; then forget it.

    May be repeated. Raises where a service is away.
    """
    checkpoint = settings.home / "spark" / "checkpoints" / "record"
    if not (checkpoint / "offsets").is_dir():
        return
    log.info("recording_results_of_an_older_release", checkpoint=str(checkpoint))

    def record(batch: DataFrame, _: int) -> None:
        rows = batch.select("value", "topic", "partition", "offset").collect()
        record_documents(
            [
                ResultMessage(
                    None if row.value is None else bytes(row.value),
                    MessagePosition(row.topic, row.partition, row.offset),
                )
                for row in rows
            ],
            settings,
        )

    stream = (
        spark.readStream.format("kafka")
        .options(**spark_options(settings.kafka))
        .option("subscribe", RESULTS)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", AT_ONCE)
        .load()
        .writeStream.queryName("record-documents")
        .option("checkpointLocation", str(checkpoint))
        .trigger(availableNow=True)
        .foreachBatch(record)
        .start()
    )
    stream.awaitTermination()
    shutil.rmtree(checkpoint)


def record_documents(messages: Iterable[ResultMessage], settings: Settings) -> None:
    """Store results that came as JSON documents, and count their scenes. May be repeated."""
    publisher = publisher_of(settings)
    read: dict[tuple[str | None, str], tuple[ResultMessage, dict[str, Any]]] = {}
    for message in messages:
        try:
            document = read_result(message.value)
        except MessageInvalid as refused:
            publisher.rejected(message.value, message.source, refused)
        else:  # of messages with one key the first counts
            read.setdefault((document["scene_id"], document["run_key"]), (message, document))
    with transaction(settings) as connection:
        refusals = results.save(connection, [document for _, document in read.values()])
    for refusal in refusals:
        message, _ = read.pop((refusal.scene_id, refusal.run_key))
        refused = MessageInvalid(RejectionCode.INVALID_FIELD, None, refusal.sentence)
        publisher.rejected(message.value, message.source, refused)
    publisher.flush()
    send_progress({scene_id for scene_id, _ in read if scene_id}, settings, publisher)


def read_result(raw: bytes | None) -> dict[str, Any]:
    """Return a validated result document, or say which field of it is wrong."""
    raw = raw or b""
    try:
        Result.model_validate_json(raw)
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:  # NaN, which the model would take
        sentence = f"expected JSON, but {error}."
        raise MessageInvalid(RejectionCode.NOT_JSON, None, sentence) from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        is_json = fault["type"] != "json_invalid"
        code = RejectionCode.INVALID_FIELD if is_json else RejectionCode.NOT_JSON
        raise MessageInvalid(code, field_path(fault), fault_sentence(fault)) from error
