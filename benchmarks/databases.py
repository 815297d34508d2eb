"""The server that all contenders share, a database of their own each, and what a run wrote into it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy.engine import make_url

STAGE = "stage"
"""The product's unlogged stage: not counted as rows written, it is empty after each run."""


@dataclass(frozen=True)
class Written:
    """WAL in bytes; rows inserted, updated and deleted; processor seconds of the server's ended connections,
    0 where the server is not ours to look at."""

    wal: int
    rows: int
    cpu: float


class Server:
    """A PostgreSQL server where databases may be made. `url` names any of its databases."""

    def __init__(self, url: str, pid: int | None = None) -> None:
        self._url = make_url(url)
        self._pid = pid
        self.admin = self.url("postgres")

    def url(self, database: str) -> str:
        """The address of a database, as libpq and dlt read it: a socket's folder percent-encoded as the host."""
        url = self._url.set(drivername="postgresql", database=database)
        folder = url.query.get("host")
        if isinstance(folder, str) and folder.startswith("/"):
            port = url.query.get("port", "5432")
            return f"postgresql://{url.username}:none@{quote(folder, safe='')}:{port}/{database}"
        return url.render_as_string(hide_password=False)

    def socket_url(self, database: str) -> str:
        """The same for SQLAlchemy, which wants a socket's folder among the parameters."""
        return self._url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def columns(self, database: str, table: str) -> list[str]:
        """Names of a table's columns, generated ones left out."""
        rows = self.execute(
            f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"
            " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            database,
        )
        return [str(name) for (name,) in rows]

    def create(self, name: str, template: str = "template0") -> None:
        self.drop(name)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @property
    def version(self) -> str:
        return str(self.execute("SHOW server_version")[0][0])

    def describe(self) -> str:
        """The settings that decide about durability and speed."""
        names = (
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "wal_level",
            "shared_buffers",
            "max_wal_size",
        )
        return ", ".join(f"{name} {self.execute(f'SHOW {name}')[0][0]}" for name in names)

    @contextmanager
    def counting(self, database: str) -> Iterator[list[Written]]:
        """Fills the list with what the block writes; no run pays for the buffers of the one before."""
        result: list[Written] = []
        self._settle(database)
        self.execute("CHECKPOINT")
        before = self._written(database)
        yield result
        self._settle(database)
        after = self._written(database)
        result.append(Written(after.wal - before.wal, after.rows - before.rows, after.cpu - before.cpu))

    def vacuum(self, database: str) -> None:
        """What autovacuum does between two sweeps, here at a known time."""
        self.execute("VACUUM (ANALYZE)", database)

    def _written(self, database: str) -> Written:
        (wal,) = self.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")[0]
        (rows,) = self.execute(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables"
            f" WHERE relname <> '{STAGE}'",
            database,
        )[0]
        return Written(int(wal), int(rows), self._cpu())

    def _cpu(self) -> float:
        """proc(5), stat: cutime and cstime of the postmaster, the times of its children that ended."""
        if self._pid is None:
            return 0.0
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def _settle(self, database: str) -> None:
        """Waits until the last connection is gone; backends tell their statistics as they end."""
        for _ in range(200):
            (busy,) = self.execute(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
                " AND backend_type = 'client backend'"
            )[0]
            if not busy:
                return
            time.sleep(0.02)


@contextmanager
def server(url: str | None, cache: Path, *, watched: bool = False) -> Iterator[Server]:
    """The server at `url`, else an embedded one with its data in the cache, durable as by default.

    Its autovacuum is off: `Server.vacuum` does the same at a known time. `watched`: it counts its statements.
    """
    if url is not None:
        yield Server(url)
        return
    from catalog.store.db.embedded.server import EmbeddedServer

    settings = {"autovacuum": "off"}
    if watched:
        settings |= {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    embedded = EmbeddedServer(cache / "postgresql", settings)
    with embedded as address:
        yield Server(address, embedded.pid)
