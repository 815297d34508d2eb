"""Connections: an engine for a server that was named, or for the embedded one.

Safe behind a transaction pooler: no prepared statements, no session state; the schema is chosen again in
each transaction. Every transaction is READ COMMITTED; the writer's exclusiveness comes from leases.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import sqlalchemy
import structlog
from psycopg import sql
from psycopg.rows import TupleRow
from sqlalchemy.pool import QueuePool

from catalog.config.database_url import database_url, parse_database_url
from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseConflict, DatabaseError, DatabaseTimeout, DatabaseUnavailable
from catalog.store.db.refusals import REFUSED_LOGINS, accept, lock_holder, login_state

if TYPE_CHECKING:
    from catalog.store.db.embedded.server import EmbeddedServer

Connection = psycopg.Connection[TupleRow]


class _Opened(Connection):
    """`spread`: Citus keeps the tables, on several nodes."""

    spread = False


T = TypeVar("T")
log = structlog.get_logger("catalog.store")

DRIVER = "postgresql+psycopg://"
CONNECT_TIMEOUT = 10
"""Seconds until an unreachable server counts as away."""
CONFLICTS = ("40001", "40P01", "55P03")
"""serialization_failure, deadlock_detected, lock_not_available (PostgreSQL manual, appendix A)."""
TIMEOUTS = ("statement timeout", "idle-in-transaction timeout")
"""Words of the server. They come with a state of their own (57014, 25P03) only where it could still tell it."""
LIBPQ_ASKS = re.compile(r" Is the server running [^?]*\?")
READ_ONLY = "25006"
"""read_only_sql_transaction: after a failover the server behind this connection may be a standby by now."""
ATTEMPTS = 5
"""How often a transaction is tried whose way others block."""
LOCK_SECONDS = 10.0
"""Longest wait for somebody else's lock; who forgot one is named then."""
WRITE_SECONDS = 3600.0
"""Longest statement that writes, and longest pause between two, where no deadline says less."""
SETTINGS = (
    "TIME ZONE 'UTC'",  # a cloud's year 9999 shown in a zone east of it is one that Python's calendar lacks
    "DateStyle TO 'ISO, YMD'",
    "IntervalStyle TO 'postgres'",
    "extra_float_digits TO 1",
    "bytea_output TO 'hex'",
    "array_nulls TO on",
    "standard_conforming_strings TO on",
)
"""Settings that a value's text depends on: ours, whatever the server, the database or the role prefer."""


SPREAD_SETTINGS = ["citus.propagate_set_commands TO 'local'", "citus.all_modifications_commutative TO on"]
"""On Citus nodes get our settings too; and writers of different sources do not wait for each other where they write
`sources`, which each node has: Citus would let one transaction at a time."""


class Database:
    """One database for the life of a command. Use it as a context manager; an embedded server stops with it."""

    def __init__(self, settings: DatabaseSettings, *, pool_size: int = 5) -> None:
        self.settings = settings
        self.embedded = settings.url is None
        self._pool_size = pool_size
        self._resources = ExitStack()
        self._engine: sqlalchemy.Engine | None = None
        self._parameters: dict[str, str] | None = None
        self._server: EmbeddedServer | None = None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        self._resources.close()

    @property
    def parameters(self) -> dict[str, str]:
        """libpq's connection parameters; starts the embedded server if need be.

        Raises ConfigurationError for a URL that cannot be read.
        """
        if self._parameters is None:
            address = self.settings.url
            if address is None:
                from catalog.store.db.embedded.server import EmbeddedServer

                self._server = EmbeddedServer(self.settings.data_dir)
                address = self._resources.enter_context(self._server)
            self._parameters = parse_database_url(address)
        return self._parameters

    @property
    def libpq_url(self) -> str:
        """The URL as libpq's own tools (psql) take it, password included."""
        return database_url(self.parameters, secrets=True)

    @property
    def safe_url(self) -> str:
        """The URL for people, who may hand it to libpq's tools: without its password."""
        return database_url(self.parameters)

    def _connected(self) -> sqlalchemy.Engine:
        if self._engine is None:
            self._engine = sqlalchemy.create_engine(
                DRIVER,
                creator=partial(_open, self.parameters),
                poolclass=QueuePool,
                pool_size=self._pool_size,
                max_overflow=2,
                pool_recycle=600,
                pool_pre_ping=True,
                use_native_hstore=False,  # no column has it: SQLAlchemy need not ask each server for its number
            )
        return self._engine

    def _connect(self) -> sqlalchemy.pool.PoolProxiedConnection:
        try:
            return self._connected().raw_connection()
        except (psycopg.OperationalError, sqlalchemy.exc.OperationalError):
            if self._server is None:
                raise
            self._server.acquire()  # one that died since is started again
            return self._connected().raw_connection()

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A pooled connection with no transaction begun; what is not committed is rolled back.

        Raises DatabaseUnavailable where the server cannot be reached, DatabaseError where it refuses.
        """
        with translated(self.safe_url):
            pooled = self._connect()
            connection = pooled.driver_connection
            assert isinstance(connection, psycopg.Connection)
            try:
                yield connection
                connection.rollback()
            except BaseException as error:
                if connection.broken:
                    pooled.invalidate()
                elif isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                    pooled.invalidate()
                    self._connected().dispose()  # those that wait in the pool lead to the same server
                else:
                    connection.rollback()
                    if isinstance(error, psycopg.errors.LockNotAvailable):
                        self._name_holder(connection, error)
                raise
            finally:
                pooled.close()

    @contextmanager
    def transaction(self, *, read_only: bool = False, seconds: float = WRITE_SECONDS) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any error.

        No statement of one that writes takes longer than `seconds`, nor any pause between two. Raises
        DatabaseConflict, which names whoever holds it, for a lock that is not free within LOCK_SECONDS.
        """
        with self.session() as connection:
            self.begin(connection, read_only=read_only, seconds=seconds)
            yield connection
            connection.commit()

    def transact(self, work: Callable[[Connection], T], seconds: float = WRITE_SECONDS, **told: str) -> T:
        """Does the work in a transaction that writes, and returns its result.

        Where another's locks are in the way (somebody's own report or script, since no two of ours write the
        same source) the work is done again, up to ATTEMPTS times within `seconds`, and not after a wait of
        LOCK_SECONDS; so it may depend on nothing that an attempt changed. A conflict only: it says that nothing
        was committed, as a connection that breaks does not.
        `told`: what the log says of it besides. Raises what the work does, and DatabaseError.
        """
        began = time.monotonic()
        for attempt in itertools.count(1):
            left = max(0.1, began + seconds - time.monotonic())
            try:
                with self.transaction(seconds=left) as connection:
                    return work(connection)
            except DatabaseConflict as error:
                waited = time.monotonic() - began
                if attempt == ATTEMPTS or waited >= min(0.9 * seconds, LOCK_SECONDS):
                    raise
                log.warning("transaction retried", attempt=attempt, reason=str(error), **told)
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
        raise AssertionError("unreachable")

    def begin(
        self, connection: Connection, *, read_only: bool = False, seconds: float = WRITE_SECONDS
    ) -> None:
        """Opens the transaction with the configured schema; `read_only` makes a write an error.

        Its isolation is ours whatever the server's default, and so are SETTINGS. Its time-outs are ours too:
        those of a role are meant for people's queries, and only apply to what does not write.
        """
        level = "REPEATABLE READ, READ ONLY" if read_only else "READ COMMITTED"
        chosen = [*SETTINGS, f"lock_timeout TO {_milliseconds(min(LOCK_SECONDS, 0.9 * seconds))}"]
        if not read_only:
            limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
            if connection.info.server_version >= 170000:
                chosen.append("transaction_timeout TO 0")
            chosen += [f"{limit} TO {_milliseconds(seconds)}" for limit in limits]
        if self.settings.schema:
            chosen.append(f"search_path TO {sql.Identifier(self.settings.schema).as_string(connection)}")
        # the level is told each node anyway, and can't be chosen there any more
        handed_on = SPREAD_SETTINGS if is_spread(connection) else []
        settle(
            connection,
            f"SET TRANSACTION ISOLATION LEVEL {level}",
            *(f"SET LOCAL {name}" for name in handed_on + chosen),
        )

    def _name_holder(self, connection: Connection, error: psycopg.Error) -> None:
        with suppress(psycopg.Error):
            self.begin(connection, read_only=True)
            holder = lock_holder(connection)
            connection.rollback()
            raise DatabaseConflict(
                f"database {self.safe_url}: {one_line(str(error))}{holder}; try again, or end that transaction"
            ) from error

    def now(self) -> datetime:
        """The database's clock: the one clock that all processes share."""
        with self.transaction() as connection:
            return clock(connection)

    @contextmanager
    def migration_connection(self) -> Iterator[sqlalchemy.Connection]:
        """For alembic: as the migration role where one is configured, in the configured schema."""
        url = self.settings.migration_url
        parameters = parse_database_url(url, "database.migration_url") if url else self.parameters
        engine = sqlalchemy.create_engine(
            DRIVER, creator=partial(_open, parameters), poolclass=sqlalchemy.pool.NullPool
        )
        schema = self.settings.schema
        if schema is not None:
            sqlalchemy.event.listen(engine, "begin", lambda begun: _choose_schema(_driver(begun), schema))
        with translated(database_url(parameters)):
            with engine.connect() as connection:
                if schema is not None:
                    _make_schema(_driver(connection), schema)
                yield connection

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """A transaction as the migration role; what is not committed is rolled back."""
        with self.migration_connection() as connection:
            driver = _driver(connection)
            self.begin(driver)
            yield driver


def is_spread(connection: psycopg.Connection[Any]) -> bool:
    """True where Citus keeps the tables: statements then name the shard of each one, see `statements.load`."""
    return isinstance(connection, _Opened) and connection.spread


def settle(connection: Connection, *statements: str) -> None:
    """Settings of the transaction, at one go. Citus hands them on to the nodes that join it, each as the whole of what
    was sent: so there they are sent one by one."""
    if not is_spread(connection):
        connection.execute("; ".join(statements).encode())
        return
    with connection.pipeline():
        for statement in statements:
            connection.execute(statement.encode())


def _driver(connection: sqlalchemy.Connection) -> Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _make_schema(connection: Connection, name: str) -> None:
    """Makes the schema if it is not there; asking first, because not everybody has the right to try."""
    if not connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (name,)).fetchall():
        # another upgrade that makes it at this moment is not an error
        with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateSchema):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
            connection.commit()
    connection.rollback()


def _choose_schema(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(name)))


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))  # 0 would mean: for ever


def clock(connection: Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment = row[0]
    assert isinstance(moment, datetime)
    return moment


def _open(parameters: dict[str, str]) -> Connection:
    # a server's host that vanishes without a word is noticed within a minute, not within hours
    preferred: dict[str, Any] = {
        "application_name": "catalog",
        "connect_timeout": CONNECT_TIMEOUT,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    # whatever PGCLIENTENCODING, the URL, the role or the database prefer: ours is Unicode
    ours = {"client_encoding": "UTF8", "prepare_threshold": None}
    connection = _Opened.connect(**preferred | parameters | ours, autocommit=True)
    accept(connection)
    found = connection.execute("SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL").fetchone()
    connection.spread = found is not None and found[0]
    connection.autocommit = False
    return connection


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Errors of driver and engine become ours: one line, no password, the way out."""
    try:
        yield
    except sqlalchemy.exc.TimeoutError as error:
        raise DatabaseUnavailable(
            f"database {address}: all connections of this process are in use; try again"
        ) from error
    except sqlalchemy.exc.DBAPIError as error:
        raise _explained(error.orig or error, address) from error
    except psycopg.Error as error:
        raise _explained(error, address) from error


def _explained(error: BaseException, address: str) -> DatabaseError:
    text = one_line(str(error))
    state = getattr(error, "sqlstate", None)
    if any(words in text for words in TIMEOUTS):
        return DatabaseTimeout(f"database {address}: {text}; try again")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (
        state is None or state.startswith(("08", "57P")) or state == "53300"
    ):
        answered = state or login_state(error) or ""
        if answered.startswith(REFUSED_LOGINS) or (state is None and "no password supplied" in text):
            return DatabaseUnavailable(
                f"database {address} refuses the login: {text};"
                " check user, password and name here, and pg_hba.conf there"
            )
        text = LIBPQ_ASKS.sub("", text)
        return DatabaseUnavailable(f"database {address} cannot be reached: {text}; is it running?")
    if state in CONFLICTS:
        return DatabaseConflict(f"database {address}: {text}; try again")
    if state == READ_ONLY:
        return DatabaseConflict(
            f"database {address} takes no writes: {text}; name its primary, or see default_transaction_read_only"
        )
    if state == "42501":
        return DatabaseError(f"database {address}: {text}; ask for the right, or run `catalog db check`")
    if state == "22P05":
        return DatabaseError(f"database {address}: {text}; it needs to be one with ENCODING 'UTF8'")
    if state == "2BP01" or (state == "0A000" and "view" in text):
        return DatabaseError(
            f"database {address}: {text}; drop what is named here, run the command again, then make it anew"
        )
    if state in ("42P01", "42703", "3F000"):
        return DatabaseError(f"database {address}: {text}; run `catalog db upgrade`")
    return DatabaseError(f"database {address}: {text}")


def one_line(text: str) -> str:
    text = re.sub(r"password=\S+", "password=***", text)
    return " ".join(text.split())[:500]
