"""dlt, tuned: `python dlt_load.py DATABASE ENDPOINT SOURCES STRATEGY FOLDER`, STRATEGY `merge` or `scd2`.

Tuned: types given instead of guessed, CSV files (COPY) instead of INSERTs, big files, tags as the only child
table, flags and other keys as columns as dlt makes them, no progress, no telemetry.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__WORKERS": "2",
    "NORMALIZE__START_METHOD": "fork",
    "LOAD__WORKERS": "4",
}

import dlt
import httpx
import limit

HINTS: dict[str, dict[str, Any]] = {
    **{name: {"data_type": "text"} for name in limit.TEXT},
    **{name: {"data_type": "bigint"} for name in limit.NUMBERS},
    **{name: {"data_type": "timestamp"} for name in limit.MOMENTS},
    "protected": {"data_type": "bool"},
}


def resource(client: httpx.Client, endpoint: str, name: str, strategy: str) -> Any:
    disposition: dict[str, Any] = {"disposition": "merge"}
    if strategy == "scd2":
        disposition |= {"strategy": "scd2"}
    else:
        disposition |= {"strategy": "upsert"}

    @dlt.resource(
        name=name, primary_key="id", write_disposition=disposition, columns=HINTS, max_table_nesting=1
    )
    def listed() -> Iterator[list[dict[str, Any]]]:
        for page in limit.pages(client, endpoint):
            yield [limit.read_record(raw) for raw in page]

    return listed


def main(database: str, endpoint: str, sources: str, strategy: str, folder: str) -> None:
    pipeline = dlt.pipeline(
        "listing",
        destination=dlt.destinations.postgres(credentials=database),
        dataset_name="dlt_images",
        pipelines_dir=folder,
    )
    with httpx.Client(trust_env=False) as client:
        for source in range(int(sources)):
            pipeline.run(
                resource(client, endpoint, f"images_{source}", strategy), loader_file_format="csv"
            ).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
