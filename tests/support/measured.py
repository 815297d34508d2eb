"""Runs the console script as a user does, and reads from outside what it took."""

from __future__ import annotations

import os
import re
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
    """How one process ended. `peak_mib`: largest resident size of that process. `seconds`: wall time.

    `ended`: when, by the monotonic clock.
    """

    exit_code: int
    stdout: str
    stderr: str
    peak_mib: float
    seconds: float
    ended: float


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
        peak = 0.0
        while True:
            # not by rusage, where the memory of whoever started a process counts as its own
            peak = _peak_mib(process.pid) or peak
            if process.poll() is not None:
                break
            if time.monotonic() - began > give_up_seconds:
                process.kill()
            time.sleep(0.02)
    return Measured(
        process.returncode,
        out.read_text(errors="replace"),
        err.read_text(errors="replace"),
        peak,
        (ended := time.monotonic()) - began,
        ended,
    )


def _peak_mib(pid: int) -> float | None:
    """The largest resident size that the process has had; None once it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else None
