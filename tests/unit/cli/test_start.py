"""What a command does before its work: it imports no more than it needs, and spends little on that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTS = """
import gc
import click
WHILE_IMPORTED = gc.isenabled()

@click.command()
def probe() -> None:
    print(WHILE_IMPORTED, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
CALLED = """
import sys
import catalog.cli
import click
catalog.cli.__path__.append(sys.argv[1])
catalog.cli.program.commands["probe"] = click.Command("probe")
catalog.cli.main(["probe"])
"""


def run(script: str, *arguments: str) -> str:
    """Runs a script in a process of its own, and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_imports_are_not_searched_for_garbage(tmp_path: Path) -> None:
    """Neither while a command is imported, nor ever again; what the command itself makes is."""
    (tmp_path / "probe.py").write_text(COLLECTS)
    assert run(CALLED, str(tmp_path)) == "False True True\n"


LOADED = """
import sys
import catalog.cli.invocation
import click
from catalog.cli import program
program.resolve_command(click.Context(program), [sys.argv[1]])
print(*sys.modules, sep="\\n")
"""
FOR_FEW = {
    "alembic", "anyio", "apscheduler", "catalog.demo", "catalog.store.db.distribution", "catalog.store.db.embedded",
    "catalog.store.db.tables", "cronsim", "ijson", "jinja2", "keystoneauth1", "openstack", "prometheus_client",
    "pyarrow", "requests", "sqlalchemy.orm", "starlette", "urllib3", "uvicorn", "yaml",
}  # fmt: skip
"""What takes long to import, and most commands, or sources, do not need."""
FOR_SWEEPS = {"httpx", "catalog.fetch", "catalog.mapping", "catalog.store.history", "catalog.sync"}


@pytest.mark.parametrize(
    ("command", "needless"),
    [
        ("sync", FOR_FEW),
        ("runs", FOR_FEW | FOR_SWEEPS | {"catalog.report.queries"}),
        ("images", FOR_FEW | FOR_SWEEPS | {"catalog.report.charts"}),
        ("show", FOR_FEW | {"httpx", "catalog.fetch"}),
    ],
)
def test_a_command_imports_what_it_needs(command: str, needless: set[str]) -> None:
    """SQLAlchemy, psycopg, structlog and rich are more than half of a short command as it is."""
    loaded = set(run(LOADED, command).split())
    assert loaded & needless == set()
    assert "catalog.store.db.connection" in loaded
