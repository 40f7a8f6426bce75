"""Send the results of a chunk: together as columns, and each alone as a document.

Apart from `messaging.publisher`, which commands load that have no use for Arrow.
"""

from __future__ import annotations

from mela.messages import CHUNK_RESULTS, RunChunk
from mela.result_columns import ResultColumns
from messaging.codec import partition_of
from messaging.columns import to_arrow
from messaging.publisher import Publisher


def send_results(publisher: Publisher, results: ResultColumns, chunk: RunChunk) -> None:
    """Send results of a chunk to `mela.chunk_results`, and each alone to `mela.results`."""
    partition = partition_of(chunk, publisher.partitions)
    publisher.send(CHUNK_RESULTS, chunk.key, to_arrow(results), partition=partition)
    for one in results.documents():
        publisher.result(results.scene_id, one.run_key, one.body)
