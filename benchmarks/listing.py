"""The listing that is swept: made beforehand, served from memory by a process of its own.

A record has 1.3 kB, 42 keys, 2.5 tags, 5.5 flags and 3 keys without a column, on average. STATES follow one
another: in each, some per cent of the records changed since the state before, and half a per cent is gone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.prepared import PreparedListing, benchmark_images
from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Record
from catalog.demo.server import CloudServer

STATES = (0, 1, 10, 100)
"""Per cent of records that differ from the state before."""
GONE_OF = 200
"""One record of so many goes in each state but the first."""
SPREAD = 37
"""Spreads the records that change over all pages; no factor of 100."""
RARE_TAGS = 1000
"""Different tags of the kind that few images carry, in listings made for queries."""


def records(count: int, state: int, *, rare_tags: bool = False) -> Iterator[Record]:
    """The records of a state. Which ones change or go depends on their number alone."""
    for number, record in enumerate(benchmark_images(count)):
        if any(number % GONE_OF == 7 * past + 3 for past in range(1, state + 1)):
            continue
        for past in range(1, state + 1):
            if number * SPREAD % 100 < STATES[past]:
                record["name"] = f"{record['name']} v{past}"
                record["updated_at"] = f"{record['updated_at'][:-3]}{past:02d}Z"
        if rare_tags:
            record["tags"] = [*record["tags"], f"ticket={number % RARE_TAGS}"]
        yield record


class States:
    """A `catalog.demo` service that shows one state at a time: a source keeps its endpoint. `/show/1` chooses,
    `/pause/0.7` makes each page take so many seconds."""

    def __init__(self, count: int, states: Sequence[int], *, rare_tags: bool = False) -> None:
        self._listings = {
            str(state): PreparedListing("ims", records(count, state, rare_tags=rare_tags)) for state in states
        }
        self._shown = str(states[0])
        self._pause = 0.0

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/show/"):
            self._shown = request.path.removeprefix("/show/")
            return Answer(204, b"")
        if request.path.startswith("/pause/"):
            self._pause = float(request.path.removeprefix("/pause/"))
            return Answer(204, b"")
        time.sleep(self._pause)
        return self._listings[self._shown](request)


def show(address: str, state: int) -> str:
    """Lets the server at this address list that state from now on; the address, as an endpoint."""
    httpx.get(f"{address}/show/{state}", trust_env=False).raise_for_status()
    return address


def pause(address: str, seconds: float) -> None:
    """Lets the server at this address take so long for a page."""
    httpx.get(f"{address}/pause/{seconds}", trust_env=False).raise_for_status()


@contextmanager
def serve(count: int, states: Sequence[int], *, rare_tags: bool = False) -> Iterator[str]:
    """The address of a server in a process of its own; it lists the first state until `show` is called."""
    command = [sys.executable, "-m", "benchmarks.listing", str(count), ",".join(map(str, states))]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [*command, str(int(rare_tags))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate("")


def main(count: str, states: str, rare_tags: str) -> None:
    service = States(int(count), [int(state) for state in states.split(",")], rare_tags=rare_tags == "1")
    with CloudServer(service) as server:
        print(server.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
