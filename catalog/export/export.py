"""An export into a folder or bucket: a source's files anew where something of it was written, the manifest last.

New parts have names of their own, and old ones go only after the manifest that no longer names them: whenever this
is cut off, the manifest that is there describes one moment.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from catalog.config.selection import select_names
from catalog.errors import CatalogError, UsageError
from catalog.export.formats import FileFormat, Hashed, open_part
from catalog.export.manifest import NAME, File, Manifest, SourceFiles, TableFiles, decode, encode, partition
from catalog.export.tables import KEYS, SQL, Table, batches, names_of, read_table
from catalog.export.target import Target
from catalog.store.db.connection import Connection, clock

PART_BYTES: Final = 128 << 20
"""A part that has grown so large is closed."""
OUR_PART: Final = re.compile(r"(?:\.?)part-[0-9a-f]{12}-\d{5}\.(?:parquet|csv|jsonl)(?:\.\w+)?")
"""Our own files, those of a process that was killed included; nothing else is ever removed."""

Advance = Callable[[int], None]


class Known(NamedTuple):
    """A source as an export finds it."""

    source_id: str
    name: str
    run_id: str | None
    state: str | None


@dataclass
class Exported:
    """Result of an export, by names of sources."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    rows: int = 0
    files: int = 0


def known_sources(connection: Connection, patterns: Sequence[str]) -> list[Known]:
    """The sources that the patterns mean, all for none. Raises UsageError for a pattern that means none."""
    found = [Known(*row) for row in SQL.run(connection, "sources")]
    selected = set(select_names([source.name for source in found], patterns))
    return [source._replace(state=_fingerprint(source.state)) for source in found if source.name in selected]


def export(
    connection: Connection,
    target: Target,
    file_format: FileFormat,
    *,
    sources: Sequence[str] = (),
    tables: Sequence[str] = (),
    progress: Advance = lambda rows: None,
) -> Exported:
    """Brings a target up to what the connection's transaction sees; `sources` are globs.

    Partitions of sources that `sources` leaves out stay as they are. Raises UsageError where the target holds
    another format or other tables, CatalogError where it can't be written.
    """
    names = names_of(tables)
    content = target.read(NAME)
    before = decode(content, target.name) if content is not None else None
    if before is not None and (before.file_format, before.tables) != (file_format, list(names)):
        raise UsageError(
            f"{target.name} holds {', '.join(before.tables)} as {before.file_format};"
            " give the same --format and --table, or another TARGET"
        )
    SQL.run(connection, "settings")
    as_of = clock(connection)
    known = known_sources(connection, sources)
    stored = {one.source_id: one for one in before.sources} if before else {}
    there = target.files(list(KEYS))
    done = Exported()
    writer = _Writer(
        connection, target, file_format, [read_table(connection, n) for n in names], progress, done
    )
    exported: list[SourceFiles] = []
    for source in known:
        old = stored.pop(source.source_id, None)
        if old is not None and old.state is not None and old.state == source.state and _whole(old, there):
            done.unchanged.append(source.name)
            exported.append(old)
        else:
            files = writer.write(source)
            exported.append(
                SourceFiles(source.source_id, source.name, as_of, source.run_id, source.state, files)
            )
            done.written.append(source.name)
    left_out = {one.source_id for one in known_sources(connection, ())} if sources else set()
    for old in stored.values():
        if old.source_id in left_out:
            exported.append(old)
        else:
            done.removed.append(old.source)
    exported.sort(key=lambda one: one.source)
    manifest = Manifest(file_format, as_of, list(names), exported)
    if target.read(NAME) != content:
        raise CatalogError(f"{target.name}: another export wrote there meanwhile; run this one again")
    if done.written or done.removed or before is None:
        with target.create(NAME) as stream:
            stream.write(encode(manifest))
    named = manifest.paths()
    replaced = before.paths() if before else set()
    for path, file in there.items():
        ours = OUR_PART.fullmatch(path.rpartition("/")[2])
        if ours and path not in named and (file.abandoned or path in replaced):
            target.remove(path)
    return done


def _whole(source: SourceFiles, there: dict[str, Any]) -> bool:
    return all(file.path in there and there[file.path].size == file.bytes for file in source.files())


@dataclass
class _Writer:
    """Writes all tables of one source after the other."""

    connection: Connection
    target: Target
    file_format: FileFormat
    tables: list[Table]
    progress: Advance
    done: Exported
    export_id: str = field(default_factory=lambda: secrets.token_hex(6))

    def write(self, source: Known) -> dict[str, TableFiles]:
        return {table.name: self._write_table(source, table) for table in self.tables}

    def _write_table(self, source: Known, table: Table) -> TableFiles:
        lists = self.file_format != "csv"
        as_text = self.file_format != "parquet"
        rows = batches(self.connection, table, source.source_id, as_text=as_text, lists=lists)
        files: list[File] = []
        more = True
        while more or not files:  # a table without rows has a part too, so that readers know its columns
            path = f"{partition(table.name, source.name)}/part-{self.export_id}-{len(files):05d}.{self.file_format}"
            count = 0
            with self.target.create(path) as stream:
                hashed = Hashed(stream)
                part = open_part(self.file_format, table, hashed)  # type: ignore[arg-type]
                for batch in rows:
                    part.write(batch)
                    count += len(batch)
                    self.progress(len(batch))
                    if hashed.size >= PART_BYTES:
                        break
                else:
                    more = False
                part.close()
            files.append(File(path, count, hashed.size, hashed.sha256))
            self.done.rows += count
            self.done.files += 1
        return TableFiles(sum(file.rows for file in files), files)


def _fingerprint(state: str | None) -> str | None:
    return None if state is None else hashlib.sha256(state.encode()).hexdigest()
