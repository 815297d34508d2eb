"""One measured run is one whole process: wall time, processor time, peak memory, as the kernel tells them."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.databases import Written
from benchmarks.report import ROOT

NOTHING = Written(0, 0, 0.0)


@dataclass(frozen=True)
class Run:
    """Seconds, MiB, bytes of WAL, rows. `cpu` is the client's alone, children that it waited for included."""

    wall: float
    cpu: float
    peak: float
    written: Written = NOTHING


class RunFailed(RuntimeError):
    """A contender did not end well; its output says why."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Run:
    """Runs the command to its end. Raises RunFailed for any exit code but 0."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            said = output.read().decode(errors="replace")
            raise RunFailed(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{said[-3000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def middle(runs: Iterable[Run]) -> Run:
    """The median of each figure."""
    all_runs = list(runs)
    return Run(
        median(one.wall for one in all_runs),
        median(one.cpu for one in all_runs),
        median(one.peak for one in all_runs),
        Written(
            round(median(one.written.wal for one in all_runs)),
            round(median(one.written.rows for one in all_runs)),
            median(one.written.cpu for one in all_runs),
        ),
    )
