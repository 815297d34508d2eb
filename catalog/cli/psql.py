"""Runs psql on the database; the password goes through the environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from catalog.errors import CatalogError, UsageError
from catalog.store.db.connection import Database
from catalog.store.db.embedded.binaries import server_binaries


def run_psql(database: Database, arguments: Sequence[str]) -> int:
    """Runs psql until it ends and returns its exit code. Raises UsageError where psql is not installed."""
    program = _find_psql(embedded=database.embedded)
    environment = dict(os.environ)
    if password := database.parameters.get("password"):
        environment["PGPASSWORD"] = password
    schema = database.settings.schema
    if schema:
        escaped = '"' + schema.replace('"', '""') + '"'
        option = "-csearch_path=" + escaped.replace("\\", "\\\\").replace(" ", "\\ ")
        environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} {option}".strip()
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for psql, which ends its query by it
    try:
        command = [program, "--dbname", database.safe_url, *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _find_psql(*, embedded: bool) -> str:
    """The embedded server's psql for the embedded database, else the system's first."""
    folders = [os.environ.get("PATH", os.defpath)]
    with suppress(CatalogError):
        folders.insert(0 if embedded else 1, str(server_binaries()))
    if program := shutil.which("psql", path=os.pathsep.join(folders)):
        return program
    raise UsageError(
        "psql is not installed: install PostgreSQL's client, or use the address of `catalog db url`"
    )
