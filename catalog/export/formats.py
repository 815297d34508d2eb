"""One part of a table as a file: Parquet, CSV or JSON Lines."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, Protocol

import msgspec

from catalog.errors import UsageError
from catalog.export.tables import Column, Row, Table

if TYPE_CHECKING:
    import pyarrow

FileFormat = Literal["parquet", "csv", "jsonl"]
ROW_GROUP_BYTES: Final = 16 << 20
ROW_GROUP_ROWS: Final = 100_000
WITHOUT_PYARROW: Final = "needs pyarrow: pip install 'image-catalog-sync[parquet]'"


class Part(Protocol):
    """A file that takes rows until it is closed."""

    def write(self, rows: list[Row]) -> None: ...

    def close(self) -> None: ...


def open_part(file_format: FileFormat, table: Table, stream: BinaryIO) -> Part:
    """A part that writes to the stream, which stays open when the part is closed."""
    if file_format == "parquet":
        return ParquetPart(table, stream)
    return CsvPart(table, stream) if file_format == "csv" else JsonLinesPart(table, stream)


class CsvPart:
    """RFC 4180 with a header; texts in quotes, so that an empty text and nothing are told apart."""

    def __init__(self, table: Table, stream: BinaryIO) -> None:
        self._stream = stream
        stream.write((",".join(column.name for column in table.columns) + "\r\n").encode())

    def write(self, rows: list[Row]) -> None:
        lines = [",".join(map(_cell, row)) + "\r\n" for row in rows]
        self._stream.write("".join(lines).encode())

    def close(self) -> None:
        """Nothing is left to write."""


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class JsonLinesPart:
    """An object a line, with every column."""

    def __init__(self, table: Table, stream: BinaryIO) -> None:
        self._stream = stream
        self._names = [column.name for column in table.columns]
        self._encode = msgspec.json.Encoder().encode_lines

    def write(self, rows: list[Row]) -> None:
        self._stream.write(self._encode([dict(zip(self._names, row, strict=True)) for row in rows]))

    def close(self) -> None:
        """Nothing is left to write."""


class ParquetPart:
    """Row groups of bounded size, zstd; the SQL comments are the `description` of table and columns."""

    def __init__(self, table: Table, stream: BinaryIO) -> None:
        pa = arrow()
        from pyarrow import parquet

        self._schema = pa.schema(
            [
                pa.field(c.name, _arrow_type(pa, c), metadata={"description": c.description})
                for c in table.columns
            ],
            metadata={"description": table.description},
        )
        self._arrow = pa
        self._waiting: list[pyarrow.RecordBatch] = []
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")

    def write(self, rows: list[Row]) -> None:
        columns = [
            self._arrow.array(values, type=field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._waiting.append(self._arrow.record_batch(columns, schema=self._schema))
        if (
            sum(batch.nbytes for batch in self._waiting) >= ROW_GROUP_BYTES
            or sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_ROWS
        ):
            self._flush()

    def _flush(self) -> None:
        group = self._arrow.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(group, row_group_size=max(1, group.num_rows))
        self._waiting = []

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()


def arrow() -> Any:
    """The module pyarrow. Raises UsageError where it is not installed."""
    try:
        import pyarrow
    except ImportError:
        raise UsageError(f"--format parquet {WITHOUT_PYARROW}; or take --format csv or jsonl") from None
    return pyarrow


def _arrow_type(pa: Any, column: Column) -> Any:
    if column.is_list:
        return pa.list_(pa.string())
    if column.is_time:
        return pa.timestamp("us", tz="UTC")
    known = {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
    }
    return known.get(column.type, pa.string())


class Hashed(io.RawIOBase):
    """Hands on what is written, and knows its length and SHA-256. Closing it leaves the stream open."""

    def __init__(self, stream: BinaryIO) -> None:
        import hashlib

        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._hash.update(data)
        self.size += (length := memoryview(data).nbytes)
        return length

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
