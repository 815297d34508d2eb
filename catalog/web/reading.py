"""Read-only transactions with a time limit for each statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from catalog.errors import CatalogError, DatabaseError, UsageError
from catalog.store.db.connection import Connection, Database

STATEMENT_SECONDS = 10.0
"""Longest statement, and longest pause between two."""
_LIMITS = """SELECT set_config('statement_timeout', %(limit)s, true),
    set_config('idle_in_transaction_session_timeout', %(limit)s, true),
    set_config('max_parallel_workers_per_gather', '0', true)"""
"""One processor an answer: readers leave the others to sweeps."""


class TookTooLong(DatabaseError):
    """A statement reached its time limit."""


class NotThere(CatalogError):
    """Nothing has this address."""


class Reader:
    """Opens the transactions of all answers. Answers are made whole before they are sent, so that whoever reads slowly
    keeps no transaction open."""

    def __init__(self, database: Database, seconds: float = STATEMENT_SECONDS) -> None:
        self.database = database
        self.seconds = seconds

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Raises NotThere for a question that names what the catalog lacks, TookTooLong, DatabaseUnavailable and other
        DatabaseErrors."""
        values: dict[str, Any] = {"limit": f"{round(self.seconds * 1000)}ms"}
        try:
            with self.database.transaction(read_only=True, seconds=self.seconds) as connection:
                connection.execute(_LIMITS, values)
                yield connection
        except UsageError as error:
            raise NotThere(str(error)) from error  # it could be read: the catalog lacks what it names
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise TookTooLong(
                    f"this took longer than {self.seconds:g} s; ask for less: name a source, a system, a later time"
                ) from error
            raise
