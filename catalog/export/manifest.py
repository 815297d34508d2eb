"""`manifest.json`: the files that make up an export, written last. Whoever reads by it sees one moment."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import msgspec

from catalog.errors import UsageError

NAME: Final = "manifest.json"
KIND: Final = "image-catalog-sync export"
VERSION: Final = 1


class File(msgspec.Struct, frozen=True):
    """One part. `path` from the manifest's folder; `bytes` is its size."""

    path: str
    rows: int
    bytes: int
    sha256: str


class TableFiles(msgspec.Struct, frozen=True):
    rows: int
    files: list[File]


class SourceFiles(msgspec.Struct, frozen=True):
    """All of one source, as of one moment. `run_id`: its newest run then. `state`: fingerprint of what was stored."""

    source_id: str
    source: str
    as_of: datetime
    run_id: str | None
    state: str | None
    tables: dict[str, TableFiles]

    def files(self) -> list[File]:
        return [file for table in self.tables.values() for file in table.files]


class Manifest(msgspec.Struct, frozen=True):
    """An export. `exported_at`: the moment that its last run saw."""

    file_format: str
    exported_at: datetime
    tables: list[str]
    sources: list[SourceFiles]
    format: str = KIND
    version: int = VERSION

    def paths(self) -> set[str]:
        return {file.path for source in self.sources for file in source.files()}


def decode(content: bytes, where: str) -> Manifest:
    """Raises UsageError for a file that is not a manifest of this release."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError:
        manifest = None
    if manifest is None or manifest.format != KIND or manifest.version != VERSION:
        raise UsageError(f"{where}/{NAME} was not written by this release; name another TARGET")
    return manifest


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


_SPECIAL = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{}\[\]^]")


def partition(table: str, source: str) -> str:
    """The folder of a source's rows, as Hive, Spark and DuckDB name it: special characters as %2F."""
    return f"{table}/source=" + _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", source)
