"""The limit: nothing but what must be done, as straight as psycopg, msgspec and httpx allow.

Reads (hash, id) into a dict, hashes each record's raw bytes, decodes and COPYs only what differs. No history,
no documents, no ledger, no retries, no checks. `python limit.py DATABASE ENDPOINT SOURCES`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import psycopg

TEXT = (
    "name", "status", "visibility", "owner", "container_format", "disk_format", "checksum", "max_ram",
    "virtual_env_type", "hw_firmware_type", "enterprise_project_id", "__imagetype", "__image_source_type",
    "__isregistered", "__lazyloading", "__os_type", "__platform", "__os_version", "__description",
    "__originalimagename", "__data_origin", "__backup_id", "__productcode", "__whole_image",
    "__is_offshelved", "file", "self", "schema",
)  # fmt: skip
NUMBERS = ("min_ram", "min_disk", "size", "virtual_size", "__image_size", "__os_bit")
MOMENTS = ("created_at", "updated_at")
OTHER = ("protected",)
COLUMNS = (*TEXT, *NUMBERS, *MOMENTS, *OTHER)
PLACED = frozenset((*COLUMNS, "id", "tags"))
FLAG = "__support_"

QUOTED = [f'"{column}"' for column in COLUMNS]

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS images (source int, id text, hash bytea,
    {", ".join(f'"{c}" text' for c in TEXT)}, {", ".join(f'"{c}" bigint' for c in NUMBERS)},
    {", ".join(f'"{c}" timestamptz' for c in MOMENTS)}, protected boolean, deleted_at timestamptz,
    PRIMARY KEY (source, id));
CREATE TABLE IF NOT EXISTS tags (source int, id text, tag text, PRIMARY KEY (source, id, tag));
CREATE TABLE IF NOT EXISTS flags (source int, id text, flag text, value text, PRIMARY KEY (source, id, flag));
CREATE TABLE IF NOT EXISTS properties (source int, id text, name text, value text,
    PRIMARY KEY (source, id, name));
"""
TABLES = ("images", "tags", "flags", "properties")
COPIES = {
    "images": f"COPY images (source, id, hash, {', '.join(QUOTED)}) FROM STDIN",
    "tags": "COPY tags FROM STDIN",
    "flags": "COPY flags FROM STDIN",
    "properties": "COPY properties FROM STDIN",
}


class Page(msgspec.Struct):
    images: list[msgspec.Raw]


class Identity(msgspec.Struct):
    id: str


read_page = msgspec.json.Decoder(Page).decode
read_id = msgspec.json.Decoder(Identity).decode
read_record = msgspec.json.Decoder(dict[str, Any]).decode


def pages(client: httpx.Client, endpoint: str) -> Iterator[list[msgspec.Raw]]:
    marker: dict[str, str] = {}
    while True:
        body = client.get(f"{endpoint}/v2/cloudimages", params={"limit": "1000", **marker}).content
        images = read_page(body).images
        if not images:
            return
        yield images
        marker = {"marker": read_id(images[-1]).id}


def sweep(connection: psycopg.Connection[Any], client: httpx.Client, endpoint: str, source: int) -> None:
    known: dict[bytes, str] = dict(
        connection.execute("SELECT hash, id FROM images WHERE source = %s AND deleted_at IS NULL", (source,))
    )
    existing = bool(known)
    changed: set[str] = set()
    for page in pages(client, endpoint):
        fresh = []
        for raw in page:
            digest = sha256(raw).digest()[:16]
            if known.pop(digest, None) is None:
                fresh.append((digest, read_record(raw)))
        if not fresh:
            continue
        ids = [record["id"] for _, record in fresh]
        if existing:
            for table in TABLES:
                connection.execute(
                    f"DELETE FROM {table} t USING unnest(%s::text[]) AS gone (id)"
                    " WHERE t.source = %s AND t.id = gone.id",
                    (ids, source),
                )
            changed.update(ids)
        load(connection, source, fresh)
    missing = [image_id for image_id in known.values() if image_id not in changed]
    if missing:
        connection.execute(
            "UPDATE images i SET deleted_at = now() FROM unnest(%s::text[]) AS gone (id)"
            " WHERE i.source = %s AND i.id = gone.id",
            (missing, source),
        )


def load(connection: psycopg.Connection[Any], source: int, fresh: list[tuple[bytes, dict[str, Any]]]) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for digest, record in fresh:
        image_id = record["id"]
        get = record.get
        rows["images"].append((source, image_id, digest, *[get(c) for c in COLUMNS]))
        rows["tags"].extend([(source, image_id, tag) for tag in record["tags"]])
        for key, value in record.items():
            if key in PLACED:
                continue
            if key.startswith(FLAG):
                rows["flags"].append((source, image_id, key[len(FLAG) :], value))
            else:
                rows["properties"].append((source, image_id, key, value))
    cursor = connection.cursor()
    for table in TABLES:
        with cursor.copy(COPIES[table]) as copy:
            for row in rows[table]:
                copy.write_row(row)


def main(database: str, endpoint: str, sources: str) -> None:
    with httpx.Client(trust_env=False) as client:
        with psycopg.connect(database, prepare_threshold=None) as connection:
            connection.execute(SCHEMA)  # in a transaction of its own: else wal_level = minimal spares the WAL
        for source in range(int(sources)):
            with psycopg.connect(database, prepare_threshold=None) as connection:
                sweep(connection, client, endpoint, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
