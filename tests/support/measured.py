"""Runs the console script as a user does, and reads from outside what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PEAK_MIB = 400
"""Most resident memory that any input from outside may cost one process. Unit: MiB."""
TIME_FACTOR = 1.2
"""A command may take this many times its deadline, whatever the other side sends."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How one process ended. `peak_mib`: largest resident size of that process. `seconds`: wall time."""

    exit_code: int
    stdout: str
    stderr: str
    peak_mib: float
    seconds: float


def run_measured(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, give_up_seconds: float
) -> Measured:
    """Runs `catalog ARGUMENTS` in `folder` with just this environment (and PATH).

    A process that is still there after `give_up_seconds` is killed: its exit code is -9.
    """
    out, err = folder / "measured.out", folder / "measured.err"
    began = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "catalog", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        while True:
            # wait4 and not Popen.wait: only it tells the peak of this very process
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - began > give_up_seconds:
                process.kill()
            time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(
        process.returncode,
        out.read_text(errors="replace"),
        err.read_text(errors="replace"),
        usage.ru_maxrss / 1024,
        time.monotonic() - began,
    )
