"""Refusals of the server: other products that speak PostgreSQL's protocol, logins, and locks of others."""

from __future__ import annotations

import re
import select
import tempfile
import time
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from catalog.errors import DatabaseError

OLDEST = 150000
"""PostgreSQL 15, as `server_version_num` writes it."""
_OTHER_PRODUCTS = {"crdb_version": "CockroachDB", "crate_version": "CrateDB"}
"""Settings that only these report, of their own accord, to each client that connects."""
_OTHER_WORDS = re.compile(
    r"-YB-|Yugabyte|Cockroach|Crate|Redshift|Materialize|QuestDB|openGauss|Greenplum", re.I
)
REFUSED_LOGINS = ("28", "3D", "42501", "08P01")
"""Invalid authorization, no such database, no right to enter it; what a pooler says of unknown names. By the
beginning of the SQLSTATE (PostgreSQL manual, appendix A)."""
_PATIENCE = 5.0
"""Seconds until the second attempt, which only asks for the SQLSTATE of the first, is given up."""

Connection = psycopg.Connection[Any]


def accept(connection: Connection) -> Connection:
    """The connection, if PostgreSQL 15 or later is at its other end; told by the greeting, before any statement.

    Raises DatabaseError, and closes the connection, for anything else.
    """
    reason = other_product(
        connection.info.parameter_status("server_version") or "",
        connection.info.server_version,
        {name for name in _OTHER_PRODUCTS if connection.info.parameter_status(name) is not None},
    )
    if reason is None:
        return connection
    where = f"{connection.info.host}:{connection.info.port}"
    connection.close()
    raise DatabaseError(f"the database at {where} {reason}; name one of PostgreSQL 15 or later")


def other_product(version: str, number: int, reported: set[str]) -> str | None:
    """Why a server with this `server_version`, as text and as number, is of no use; None = it is PostgreSQL."""
    for name in reported:
        return f"is {_OTHER_PRODUCTS[name]}, which only speaks PostgreSQL's protocol"
    if _OTHER_WORDS.search(version):
        return f"({version[:80]}) is another product, which only speaks PostgreSQL's protocol"
    if number < OLDEST:
        return f"is {version[:80] or 'of an unknown version'}, or says so"
    return None


def login_state(error: psycopg.Error) -> str | None:
    """The SQLSTATE of a connection that the server refused; None where none answered.

    libpq keeps it to itself and tells the server's words only, in the server's language. So the same connection
    is tried once more while libpq's trace is on, in which the code stands (libpq 17 and later, Linux).
    """
    parameters = {
        option.keyword.decode(): option.val.decode(errors="replace")
        for option in getattr(error.pgconn, "info", ())
        if option.val
    }
    if not parameters:
        return None
    with tempfile.TemporaryFile() as trace:
        connection = pq.PGconn.connect_start(make_conninfo(**parameters).encode())
        try:
            if connection.status == pq.ConnStatus.BAD:
                return None
            connection.trace(trace.fileno())
            ends = time.monotonic() + _PATIENCE
            while (status := connection.connect_poll()) in (
                pq.PollingStatus.READING,
                pq.PollingStatus.WRITING,
            ):
                waited = [connection.socket]
                reads = status == pq.PollingStatus.READING
                if not any(
                    select.select(
                        waited if reads else [], [] if reads else waited, [], ends - time.monotonic()
                    )
                ):
                    return None
            connection.untrace()
        except (psycopg.Error, OSError, ValueError):
            return None
        finally:
            connection.finish()
        trace.seek(0)
        found = re.findall(rb'\tErrorResponse\t.*? C "(\w{5})" M ', trace.read())
    return found[-1].decode() if found else None


def lock_holder(connection: Connection) -> str:
    """Whose locks on our tables are likely to be in the way, for people; "" = they are gone by now.

    The strongest lock first, of the oldest transaction; other connections of the catalog last, as no two of them
    write the same source.
    """
    from catalog.store.db.statements import load  # needs connections, which need this module

    row = load("refusals.sql").run(connection, "lock_holder").fetchone()
    if row is None:
        return ""
    pid, user, application, since, state, table = row
    told = [f"pid {pid}", f"user {user}", f"application {application}" if application else "", state or ""]
    if since is not None:
        told.append(f"in a transaction since {since:%Y-%m-%d %H:%M:%S} UTC")
    return f"; a lock on {table} is held by {', '.join(part for part in told if part)}"
