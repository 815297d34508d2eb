"""`catalog` as a process of its own, forked from one that has imported it: the imports take most of a command's
second, and the suite runs some thousand commands. What starts a process itself (terminals, daemons, measurements)
shows that the imports are in order."""

from __future__ import annotations

import atexit
import os
import pkgutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog import cli

GIVE_UP_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended. `code`: below 0 for the signal that ended it."""

    code: int
    out: str
    err: str


@cache
def _server() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(
        [__name__, *(f"catalog.cli.{module.name}" for module in pkgutil.iter_modules(cli.__path__))]
    )
    return context


def run(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], *, input: str = "") -> Ended:
    """Runs `catalog ARGUMENTS` in `cwd` with just this environment."""
    with TemporaryDirectory() as folder:
        streams = [str(Path(folder, name)) for name in ("in", "out", "err")]
        Path(streams[0]).write_text(input)
        process = _server().Process(
            target=_be_catalog, args=(list(arguments), str(cwd), dict(environment), streams)
        )
        process.start()
        process.join(GIVE_UP_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"catalog {' '.join(arguments)}: not over after {GIVE_UP_SECONDS} s")
        return Ended(process.exitcode, *(Path(path).read_text() for path in streams[1:]))


def _be_catalog(arguments: list[str], cwd: str, environment: dict[str, str], streams: list[str]) -> None:
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)
    ):
        opened = os.open(path, flags | (os.O_CREAT | os.O_TRUNC if flags else 0), 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - of the process, as long as it lives
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["catalog", *arguments]
    from catalog.__main__ import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # type: ignore[attr-defined]  # a forked process skips them
