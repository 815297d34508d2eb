"""A relay before PostgreSQL that breaks at a chosen statement, as networks, servers and killed processes do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from catalog.config.database_url import database_url
from catalog.config.settings import DatabaseSettings
from catalog.store.db.connection import Database

Side = Literal["before", "after"]
_ENDS_STATEMENT = frozenset(b"QSc")
"""Frontend messages that end a statement: simple query, sync, end of COPY data."""


class Wire:
    """Relays connections to the server whose address is given, and cuts one at its n-th statement.

    `address` of the server: a path (Unix) or a (host, port). Statements are counted over all connections
    from `cut_at` on. `side`: the statement is lost, or only its answer is. `for_good`: no connection lives,
    and none comes about, until `mend`: so it looks to the database when a process is killed.
    """

    def __init__(self, address: str | tuple[str, int]) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._left: int | None = None
        self._side: Side = "before"
        self._for_good = False
        self._dead = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def cut_at(self, statement: int, side: Side, *, for_good: bool) -> None:
        with self._lock:
            self._left, self._side, self._for_good = statement, side, for_good

    def mend(self) -> None:
        with self._lock:
            self._left, self._dead = None, False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                dead = self._dead
            if dead:
                client.close()
                continue
            family = socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET
            server = socket.socket(family, socket.SOCK_STREAM)
            server.connect(self._address)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            for work in (self._forth, self._back):
                threading.Thread(target=work, args=(client, server), name="wire", daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        reader = client.makefile("rb")
        with contextlib.suppress(OSError, ValueError):
            head = reader.read(4)
            if len(head) == 4:
                server.sendall(head + reader.read(struct.unpack("!I", head)[0] - 4))
            while len(head := reader.read(5)) == 5:
                message = head + reader.read(struct.unpack("!I", head[1:])[0] - 4)
                if head[0] in _ENDS_STATEMENT and self._is_the_one():
                    if self._side == "after":
                        self._forget_answers(client)
                        server.sendall(message)
                    self._cut(client, server)
                    break
                server.sendall(message)
        self._drop(client)
        # what was sent is carried out; then the server sees the end
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)
        reader.close()

    def _is_the_one(self) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= 1
            if self._left > 0:
                return False
            self._left = None
            self._dead = self._for_good
            self.cuts += 1
            return True

    def _forget_answers(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _cut(self, client: socket.socket, server: socket.socket) -> None:
        if self._dead:
            self._drop_all(but=server)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        with contextlib.suppress(OSError):
            while server.recv(65536):
                continue  # nobody listens any more; the server may still finish what it was sent
        self._drop(client)
        self._drop(server)

    def _drop(self, end: socket.socket) -> None:
        with self._lock:
            self._open.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()

    def _drop_all(self, but: socket.socket | None = None) -> None:
        with self._lock:
            ends = [end for end in self._open if end is not but]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wired(database: Database) -> Iterator[tuple[Wire, Database]]:
    """The same database by way of a wire."""
    parts = database.parameters
    host, port = str(parts["host"]), int(str(parts.get("port") or 5432))
    wire = Wire(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port))
    by_wire = {"host": "127.0.0.1", "port": str(wire.port), "sslmode": "disable", "gssencmode": "disable"}
    url = database_url(database.parameters | by_wire, secrets=True)
    try:
        with Database(DatabaseSettings(url=url, data_dir=Path())) as through:
            yield wire, through
    finally:
        wire.close()
