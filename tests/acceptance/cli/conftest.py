"""The real command line as a process of its own, on a database and simulated clouds of the test's own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.support import forked
from tests.support.cloud_server import CloudServer
from tests.support.environment import bare
from tests.support.records import image

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Of `--format json`."""
        rows = json.loads(self.out)
        assert isinstance(rows, list)
        return rows

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """Of `sync --format json`, by source."""
        return {row["source"]: row for row in map(json.loads, self.out.splitlines())}

    @property
    def error(self) -> str:
        """The one line of an expected failure."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0]


@dataclass
class Desk:
    """Where somebody works with the command line: a folder with catalog.toml, a database, clouds."""

    folder: Path
    database_url: str | None
    stack: ExitStack
    entries: list[str] = field(default_factory=list)

    def add_source(
        self, name: str, cloud: Cloud | None = None, *, kind: Literal["glance", "ims"] = "glance", **keys: Any
    ) -> CloudServer:
        """A source in catalog.toml and the cloud behind it."""
        server = self.stack.enter_context(CloudServer(cloud or Cloud(kind)))
        told = {"name": name, "kind": kind, "endpoint": server.endpoint, "auth": "none", **keys}
        self.entries.append("[[sources]]\n" + "".join(f"{key} = {json.dumps(told[key])}\n" for key in told))
        self.write_configuration()
        return server

    def write_configuration(self) -> None:
        (self.folder / "catalog.toml").write_text("\n".join(self.entries))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "catalog", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        named = {"CATALOG_DATABASE_URL": self.database_url} if self.database_url else {}
        return {
            **bare(),
            **named,
            "HOME": str(self.folder),
            "CATALOG_DATA_DIR": str(self.folder / "data"),
            "PYTHONPATH": str(CHECKOUT),
            "COLUMNS": "80",
            **more,
        }

    def run(self, *arguments: str, input: str = "", **environment: str) -> Finished:
        done = forked.run(arguments, self.folder, self.environment(**environment), input=input)
        return Finished(done.code, done.out, done.err)

    def run_from_scratch(self, *arguments: str, **environment: str) -> Finished:
        """As `run`, by an interpreter that has imported nothing."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def on_terminal(
        self, *arguments: str, input: str = "", columns: int = 80, **environment: str
    ) -> Finished:
        """All three streams are one terminal, on which `input` is typed; what it shows is `out`."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (50, columns))
        environment = {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, input.encode())
        shown = b""
        # a terminal that nobody holds open any more ends in an error (EIO)
        with suppress(OSError):
            while piece := os.read(ours, 65_536):
                shown += piece
        os.close(ours)
        return Finished(process.wait(timeout=120), shown.decode().replace("\r\n", "\n"), "")

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        assert self.database_url is not None
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(tmp_path, database_url, stack)


@pytest.fixture
def record() -> Callable[..., Record]:
    """Makes small records."""
    return image
