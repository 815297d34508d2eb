"""`python -m catalog` is the console script `catalog`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line. SIGTERM ends it from the first moment on, also as process 1 of a container, which
    the kernel does not end by itself; commands that end more politely set their own handlers later."""
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, _end)
    # only now what takes most of a second to import
    from catalog.cli import main

    main()


def _end(number: int, frame: object) -> None:
    os._exit(0 if "daemon" in sys.argv[1:] else 128 + number)


if __name__ == "__main__":
    main()
