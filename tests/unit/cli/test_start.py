"""What a command does before its work: it imports no more than it needs, and spends little on that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
from catalog.cli import main, program
from catalog.cli.lazy import Later
program.commands["probe"] = program.later["probe"] = Later("probe:probe", "")
main(["probe"])
"""


def run(script: str, *arguments: str, path: Path = Path()) -> str:
    """Runs a script in a process of its own, and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), *sys.path])}
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
    assert run(CALLED, path=tmp_path) == "False True True\n"
