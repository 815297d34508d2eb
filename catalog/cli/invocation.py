"""The options before the command, and the settings and the database that they lead to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog import logs
from catalog.config.load import load_settings
from catalog.config.settings import Settings, source_settings
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.state.sources import Source
from catalog.sync.mapping_adapter import Contents


@dataclass
class Invocation:
    """The options before the command."""

    config: Path | None
    database_url: str | None
    verbosity: int

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigurationError."""
        return load_settings(self.config, os.environ, self.database_url)

    @contextmanager
    def database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database, its schema new enough. Raises SchemaError, DatabaseError, ConfigurationError."""
        with self.bare_database(pool_size=pool_size) as database:
            schema.require(database)
            yield database

    @contextmanager
    def bare_database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database, whatever its schema."""
        logs.configure(self.verbosity)
        with Database(self.settings.database, pool_size=pool_size) as database:
            yield database

    def rules_of(self, known: Source) -> Contents:
        """The rules by which a recorded source's records are read: `[defaults]` if it is not configured any more."""
        return Contents.of(source_settings(self.settings, known.name, known.kind))
