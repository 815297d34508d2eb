"""How most would write it: SQLAlchemy upserts by the thousand. `python upserts.py DATABASE ENDPOINT SOURCES`.

Every record is decoded and upserted; tags, flags and properties are replaced; what was not listed is marked.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx
import limit
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

metadata = MetaData()
_TYPES: dict[str, Any] = {
    **dict.fromkeys(limit.TEXT, Text),
    **dict.fromkeys(limit.NUMBERS, BigInteger),
    **dict.fromkeys(limit.MOMENTS, DateTime(timezone=True)),
    **dict.fromkeys(limit.OTHER, Boolean),
}


def _keys() -> list[Column[Any]]:
    return [Column("source", Integer, primary_key=True), Column("id", Text, primary_key=True)]


images = Table(
    "images",
    metadata,
    *_keys(),
    *(Column(name, _TYPES[name]) for name in limit.COLUMNS),
    Column("deleted_at", DateTime(timezone=True)),
)
tags = Table("tags", metadata, *_keys(), Column("tag", Text, primary_key=True))
flags = Table("flags", metadata, *_keys(), Column("flag", Text, primary_key=True), Column("value", Text))
properties = Table(
    "properties", metadata, *_keys(), Column("name", Text, primary_key=True), Column("value", Text)
)
DETAILS = (tags, flags, properties)

_insert = insert(images)
UPSERT = _insert.on_conflict_do_update(
    index_elements=["source", "id"],
    set_={name: _insert.excluded[name] for name in (*limit.COLUMNS, "deleted_at")},
)


def store(connection: Connection, source: int, records: list[dict[str, Any]]) -> None:
    ids = [record["id"] for record in records]
    connection.execute(UPSERT, [image_row(source, record) for record in records])
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in DETAILS}
    for record in records:
        key = {"source": source, "id": record["id"]}
        rows["tags"].extend(key | {"tag": tag} for tag in record["tags"])
        for name, value in record.items():
            if name in limit.PLACED:
                continue
            if name.startswith(limit.FLAG):
                rows["flags"].append(key | {"flag": name[len(limit.FLAG) :], "value": value})
            else:
                rows["properties"].append(key | {"name": name, "value": value})
    for table in DETAILS:
        connection.execute(delete(table).where(table.c.source == source, table.c.id == func.any(ids)))
        if rows[table.name]:
            connection.execute(insert(table), rows[table.name])


def image_row(source: int, record: dict[str, Any]) -> dict[str, Any]:
    row = {name: record.get(name) or None for name in limit.COLUMNS}
    return row | {"source": source, "id": record["id"], "deleted_at": None}


def sweep(connection: Connection, client: httpx.Client, endpoint: str, source: int) -> None:
    seen: set[str] = set()
    for page in limit.pages(client, endpoint):
        records = [limit.read_record(raw) for raw in page]
        seen.update(record["id"] for record in records)
        store(connection, source, records)
    live = select(images.c.id).where(images.c.source == source, images.c.deleted_at.is_(None))
    missing = [image_id for image_id in connection.scalars(live) if image_id not in seen]
    if missing:
        connection.execute(
            update(images)
            .where(images.c.source == source, images.c.id == func.any(missing))
            .values(deleted_at=func.now())
        )


def main(database: str, endpoint: str, sources: str) -> None:
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
    metadata.create_all(engine)
    with httpx.Client(trust_env=False) as client:
        for source in range(int(sources)):
            with engine.begin() as connection:
                sweep(connection, client, endpoint, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
