"""dlt, tuned: `python dlt_load.py DATABASE ENDPOINT SOURCES STRATEGY SHAPE FOLDER`, STRATEGY `merge` or `scd2`.

Tuned: types given instead of guessed, CSV files (COPY) instead of INSERTs, big files, no progress, no telemetry.
SHAPE `columns`: tags as the only child table, flags and other keys as columns, as dlt makes them, so that a new
flag alters the table. SHAPE `tables`: the tables of the limit and of the product, flags and properties in rows.
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


def normalized(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its flags and its keys without a column as lists, from which dlt makes tables."""
    image: dict[str, Any] = {"flags": [], "properties": []}
    for key, value in record.items():
        if key in limit.PLACED:
            image[key] = value
        elif key.startswith(limit.FLAG):
            image["flags"].append({"flag": key[len(limit.FLAG) :], "value": value})
        else:
            image["properties"].append({"name": key, "value": value})
    return image


def resource(client: httpx.Client, endpoint: str, name: str, strategy: str, shape: str) -> Any:
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
            records = [limit.read_record(raw) for raw in page]
            yield records if shape == "columns" else [normalized(record) for record in records]

    return listed


def main(database: str, endpoint: str, sources: str, strategy: str, shape: str, folder: str) -> None:
    pipeline = dlt.pipeline(
        "listing",
        destination=dlt.destinations.postgres(credentials=database),
        dataset_name="dlt_images",
        pipelines_dir=folder,
    )
    with httpx.Client(trust_env=False) as client:
        for source in range(int(sources)):
            pipeline.run(
                resource(client, endpoint, f"images_{source}", strategy, shape), loader_file_format="csv"
            ).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
