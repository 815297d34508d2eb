"""Columns that several tables share: names, types and comments written once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from catalog.fields import FIELDS, Field

VERSION_TABLE = "catalog_schema_version"

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"}
)

TYPES: dict[str, Any] = {
    "text": Text,
    "integer": Integer,
    "bigint": BigInteger,
    "boolean": Boolean,
    "timestamp": lambda: TIMESTAMP(timezone=True),
}


def moment(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, TIMESTAMP(timezone=True), comment=f"{comment} Unit: UTC.", **options)


def text_column(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, Text, comment=comment, **options)


def key_column(name: str, comment: str, **options: Any) -> Column[Any]:
    """A text that indexes sort: by its bytes, so that a new C library of the machine breaks no index."""
    return Column(name, Text(collation="C"), comment=comment, **options)


def count(name: str, comment: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"), comment=comment)


def field_column(field: Field) -> Column[Any]:
    return Column(field.column, TYPES[field.conversion](), comment=field.comment)


def source_id() -> Column[Any]:
    return key_column("source_id", "Source, as in sources.source_id.", nullable=False)


def image_id() -> Column[Any]:
    return key_column("image_id", "Id of the image in its cloud. Upstream: id.", nullable=False)


def run_id(comment: str = "Run that wrote it, as in runs.run_id.", **options: Any) -> Column[Any]:
    return Column("run_id", UUID(as_uuid=False), comment=comment, **options)


def facets() -> list[Column[Any]]:
    """Tags, supported capabilities and properties in one row, for queries that read many images."""
    return [
        Column(
            "tags", ARRAY(Text), comment="Tags as delivered, sorted; the rows of image_tags in one value."
        ),
        Column(
            "capabilities", ARRAY(Text), comment="Supported capabilities, sorted; from image_capabilities."
        ),
        Column(
            "properties", JSONB, comment="Keys without a column of their own; the rows of image_properties."
        ),
    ]


def deletion() -> list[Column[Any]]:
    return [
        moment(
            "deleted_at", "When the image was deleted; NULL = live. Upstream: deleted_at, where reported."
        ),
        text_column("deletion_reason", "How deletion is known: reported, not_found, no_access, not_listed."),
    ]


REVISION_FIELDS = tuple(field for field in FIELDS if field.opens_revision)


def revision_columns() -> list[Column[Any]]:
    return [
        moment("observed_at", "Observation in which the revision begins.", nullable=False),
        moment(
            "valid_from", "Start of validity: the cloud's own time where it can be trusted.", nullable=False
        ),
        moment("valid_to", "Start of the next revision; NULL = the last."),
        moment("recorded_at", "When the row was written.", nullable=False),
        run_id(),
        text_column("change", "created (first known), updated, deleted, restored.", nullable=False),
        Column(
            "changed",
            JSONB,
            comment="What differs from the revision before: {key: [old, new]}, upstream keys.",
        ),
        Column("content_hash", LargeBinary, comment="Hash of the canonical form; NULL = lack."),
        Column("reported", Boolean, nullable=False, comment="True: the record itself says deleted."),
        text_column("lack_reason", "Why lack is known: not_found, no_access, not_listed; NULL = a record."),
        moment("cloud_time", "The cloud's own time of the content."),
        moment("cloud_deleted_at", "deleted_at as the record delivered it."),
        moment("spell_from", "Start of the status spell this revision belongs to.", nullable=False),
    ]
