"""A table of image ids that may be larger than memory: a dict, and a file of its own beyond a bound."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

LIMIT = 50_000
"""Ids kept in memory: about 15 MB of them."""
_PART = 500
_CACHE = 16_000
"""KiB of the file that SQLite keeps in memory."""

Entry = tuple[bytes, int]
"""A fingerprint, and a number."""


class IdTable:
    """Entries by image id. Beyond `limit` ids it moves to a temporary file that has no name."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.rows: dict[str, Entry] | None = {}
        """All entries, while they are in memory; to be read only."""
        self._file: sqlite3.Connection | None = None

    def __len__(self) -> int:
        if self._file is None:
            return len(self.rows or ())
        return int(self._file.execute("SELECT count(*) FROM ids").fetchone()[0])

    def hashes(self) -> Iterator[bytes]:
        """The fingerprints, in the order of their ids."""
        if self.rows is not None:
            return (hash_ for _, (hash_, _) in sorted(self.rows.items()))
        return (row[0] for row in self._execute("SELECT hash FROM ids ORDER BY id"))

    def __iter__(self) -> Iterator[str]:
        """The ids, sorted."""
        if self.rows is not None:
            return iter(sorted(self.rows))
        return (row[0] for row in self._execute("SELECT id FROM ids ORDER BY id"))

    def among(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are in the table."""
        return set(self.get(ids))

    def get(self, ids: Iterable[str]) -> dict[str, Entry]:
        """The entries of those that are in the table."""
        rows = self.rows
        if rows is not None:
            return {image_id: rows[image_id] for image_id in ids if image_id in rows}
        found: dict[str, Entry] = {}
        remaining = iter(ids)
        while part := list(islice(remaining, _PART)):
            marks = ",".join("?" * len(part))
            for image_id, hash_, number in self._execute(f"SELECT * FROM ids WHERE id IN ({marks})", part):
                found[image_id] = hash_, number
        return found

    def put(self, rows: Mapping[str, Entry]) -> None:
        """Adds or replaces."""
        if self.rows is not None:
            self.rows.update(rows)
            if len(self.rows) <= self.limit:
                return
            rows, self.rows = self.rows, None
            self._file = _open()
        assert self._file is not None
        self._file.executemany(
            "INSERT OR REPLACE INTO ids VALUES (?, ?, ?)", ((i, *rows[i]) for i in sorted(rows))
        )

    def remove(self, ids: Collection[str]) -> None:
        if self.rows is not None:
            for image_id in ids:
                self.rows.pop(image_id, None)
        elif self._file is not None:
            self._file.executemany("DELETE FROM ids WHERE id = ?", [(image_id,) for image_id in ids])

    def close(self) -> None:
        self.rows = {}
        if self._file is not None:
            self._file.close()
            self._file = None

    def _execute(self, statement: str, values: Collection[str] = ()) -> sqlite3.Cursor:
        assert self._file is not None
        return self._file.execute(statement, list(values))


def _open() -> sqlite3.Connection:
    file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode = OFF")
    file.execute("PRAGMA synchronous = OFF")
    file.execute(f"PRAGMA cache_size = -{_CACHE}")
    file.execute(
        "CREATE TABLE ids (id TEXT PRIMARY KEY, hash BLOB NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID"
    )
    file.execute("BEGIN")
    return file
