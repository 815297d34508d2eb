"""The real `catalog daemon` in a process of its own: its log, its health, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

PATIENCE = 30.0
"""Seconds that a test waits for what must come, on a busy machine."""
LEASE_SECONDS = 2

Line = dict[str, Any]


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Waits for it, and returns it."""
    ends = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return found


def configuration(database_url: str, sources: Mapping[str, str], **values: object) -> str:
    """A catalog.toml: sources by name and endpoint, all swept every second unless `values` say otherwise."""
    common = {"interval": "1s", "auth": "none", "kind": "glance"} | values
    lines = ["[database]", f'url = "{database_url}"']
    for name, endpoint in sources.items():
        lines += ["[[sources]]", f'name = "{name}"', f'endpoint = "{endpoint}"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in common.items()]
    return "\n".join(lines)


def query(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def between_sweeps(url: str, name: str, change: str, where: str = "true") -> bool:
    """Changes the source's row if nobody sweeps it, and it is as it shall be; whether it was."""
    with psycopg.connect(url) as connection:
        free = connection.execute(
            "SELECT s.source_id FROM sources s JOIN leases l ON l.source_id = s.source_id"
            " WHERE s.name = %s AND l.holder IS NULL",
            (name,),
        ).fetchone()
        update = f"UPDATE sources SET {change} WHERE source_id = %s AND {where}"
        return free is not None and connection.execute(update.encode(), free).rowcount == 1


def one(url: str, statement: str) -> Any:
    return query(url, statement)[0][0]


class DaemonProcess:
    """`catalog daemon`, killed at the end of its `with` block if it still runs. `lines` is its log so far."""

    def __init__(self, config: Path, text: str | None = None, **environ: str) -> None:
        if text is not None:
            config.write_text(text)
        self.config = config
        self.lines: list[Line] = []
        self._environ = {
            **os.environ,
            "CATALOG_HTTP_BIND": "127.0.0.1:0",
            "CATALOG_LEASE_SECONDS": str(LEASE_SECONDS),
            **environ,
        }

    def __enter__(self) -> DaemonProcess:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "catalog", "--config", str(self.config), "daemon"],
            env=self._environ,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": line.rstrip("\n"), "level": "none"})

    def logged(self, event: str, **values: object) -> list[Line]:
        """Lines that begin so and hold these values."""
        return [
            line
            for line in self.lines
            if str(line["event"]).startswith(event) and values.items() <= line.items()
        ]

    def wait_for(self, event: str, count: int = 1, **values: object) -> Line:
        """The `count`-th such line of the log."""

        def came() -> bool:
            assert self.process.poll() is None or len(self.logged(event, **values)) >= count, self.lines
            return len(self.logged(event, **values)) >= count

        until(came, f"{count} lines {event!r} {values} in {self.lines[-20:]}")
        return self.logged(event, **values)[count - 1]

    def ended(self, seconds: float = PATIENCE) -> int:
        """Its exit code."""
        code = self.process.wait(timeout=seconds)
        self._reader.join()
        return code

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal, which gets ten seconds (semantics 6)."""
        self.process.send_signal(kind)
        return self.ended(10)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a request to its health server."""
        address = self.wait_for("daemon started")["http"]
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Samples by name and labels, as Prometheus writes them."""
        status, text = self.get("/metrics")
        assert status == 200
        samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def sockets(self) -> int:
        """How many sockets it has open, of all kinds."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        return sum(target.startswith("socket:") for target in _targets(folder.iterdir()))

    def resident(self) -> int:
        """Bytes of memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def _targets(links: Iterable[Path]) -> Iterable[str]:
    for link in links:
        try:
            yield str(link.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
