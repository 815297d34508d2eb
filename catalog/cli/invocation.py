"""The options before the command, and the settings and the database that they lead to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog import logs
from catalog.cli.failures import say_warning
from catalog.config.load import load_database, load_settings, with_only_cloud
from catalog.config.settings import DatabaseSettings, Settings
from catalog.errors import NothingSwept, UsageError
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database
from catalog.store.state.sources import ever_observed

WHAT_TO_SWEEP = (
    "nothing was swept; run `catalog sync` (`OS_CLOUD=mycloud catalog sync` needs no configuration),"
    " try `catalog demo`, or name the database in CATALOG_DATABASE_URL or CATALOG_DATA_DIR"
)


@dataclass
class Invocation:
    """The options before the command."""

    config: Path | None
    database_url: str | None
    verbosity: int
    never_swept: bool = False
    """Known once `reading` was entered: no source was ever observed."""

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigurationError."""
        return load_settings(self.config, os.environ, self.database_url)

    @cached_property
    def database_settings(self) -> DatabaseSettings:
        """Where the database is; says nothing of the rest of the configuration. Raises ConfigurationError."""
        return load_database(self.config, os.environ, self.database_url)

    @cached_property
    def sweepable(self) -> Settings:
        """The settings, with the only cloud of clouds.yaml where nothing else says what to sweep; says what people may
        have meant otherwise. Raises ConfigurationError."""
        settings = with_only_cloud(self.settings)
        for note in settings.notes:
            say_warning(note)
        return settings

    @contextmanager
    def database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database, its schema new enough. Raises SchemaError, DatabaseError, ConfigurationError."""
        with self.bare_database(pool_size=pool_size) as database:
            schema.require(database)
            yield database

    @contextmanager
    def existing_database(self) -> Iterator[Database]:
        """As `database`, for a command that needs what was read before: it makes none. Raises NothingSwept where the
        embedded one is not there yet."""
        self.require_contents()
        with self.database() as database:
            yield database

    @contextmanager
    def bare_database(self, *, pool_size: int = 5) -> Iterator[Database]:
        """The database, whatever its schema."""
        logs.configure(self.verbosity)
        with Database(self.database_settings, pool_size=pool_size) as database:
            yield database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for a command that only asks. It makes no database: raises NothingSwept where the embedded
        one is not there yet. Else as `database`."""
        with self.existing_database() as database, database.transaction(read_only=True) as connection:
            self.never_swept = not ever_observed(connection)
            try:
                yield connection
            except UsageError as error:
                if self.never_swept:
                    raise NothingSwept(f"{error}; {WHAT_TO_SWEEP}") from None
                raise

    def require_contents(self) -> None:
        """Raises NothingSwept where the embedded database was not made yet."""
        database = self.database_settings
        if database.url is None:
            from catalog.store.db.embedded.server import was_made

            if not was_made(database.data_dir):
                raise NothingSwept(f"there is no catalog in {database.data_dir} yet: {WHAT_TO_SWEEP}")
