"""What stands before the command, and what every command makes of it: settings and a database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.config.settings import Settings
    from catalog.store.db.connection import Database


@dataclass
class Invocation:
    """The options before the command."""

    config: Path | None
    database_url: str | None
    verbosity: int

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigurationError."""
        from catalog.config.load import load_settings

        return load_settings(self.config, os.environ, self.database_url)

    @contextmanager
    def database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database, its schema new enough. Raises SchemaError, DatabaseError, ConfigurationError."""
        from catalog.store.db import schema

        with self.bare_database(pool_size=pool_size) as database:
            schema.require(database)
            yield database

    @contextmanager
    def bare_database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database in whatever state it is."""
        from catalog import logs
        from catalog.store.db.connection import Database

        logs.configure(self.verbosity)
        with Database(self.settings.database, pool_size=pool_size) as database:
            yield database
