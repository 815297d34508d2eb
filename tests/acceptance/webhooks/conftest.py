"""A daemon, a cloud that changes, and receivers that misbehave."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from catalog.demo import Cloud, CloudServer
from tests.acceptance.daemon_process import DaemonProcess, configuration, one, query, until
from tests.support.receiver import Received, Receiver
from tests.support.records import image, name_of

SECRET = "whsec_" + base64.b64encode(b"nobody shall read this secret...").decode()
IMAGES = 6


@dataclass
class Plant:
    """One source, `lab`, and its webhooks; `text` is the configuration."""

    folder: Path
    database_url: str
    cloud: Cloud
    server: CloudServer
    stack: ExitStack
    entries: list[str] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=itertools.count)

    def webhook(self, receiver: Receiver, name: str = "alerts", **keys: Any) -> Receiver:
        told = {"name": name, "url": receiver.url, "secret_env": "HOOK_SECRET", "deadline": "1s", **keys}
        lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if value is not None]
        self.entries.append("\n".join(["[[webhooks]]", *lines]))
        return receiver

    @property
    def text(self) -> str:
        return "\n".join([configuration(self.database_url, {"lab": self.server.endpoint}), *self.entries])

    def daemon(self, config: str = "catalog.toml") -> DaemonProcess:
        """Runs until the test ends, unless it is ended before."""
        process = DaemonProcess(self.folder / config, self.text, HOOK_SECRET=SECRET)
        return self.stack.enter_context(process)

    def started(self) -> DaemonProcess:
        """A daemon that knows its webhooks, and has loaded the source."""
        daemon = self.daemon()
        until(
            lambda: one(self.database_url, "SELECT count(*) FROM webhooks") == len(self.entries), "webhooks"
        )
        daemon.wait_for("sweep", source="lab", outcome="complete")
        return daemon

    def change(self, number: int = 0) -> None:
        """One more change, to be told as one event, once it is merged."""
        before = self.newest()
        self.cloud.change(name_of(number), name=f"changed {next(self._names)}")
        until(lambda: self.newest() > before, "the change was merged")

    def newest(self) -> int:
        return int(one(self.database_url, "SELECT coalesce(max(last_event), 0) FROM sources"))

    def ids(self, after: int = 0) -> list[str]:
        """Ids of the events after a number, as written."""
        rows = query(
            self.database_url,
            f"SELECT source_id || '.' || number FROM events WHERE number > {after} ORDER BY number",
        )
        return [row[0] for row in rows]

    def wait_for_all(self, receiver: Receiver, after: int = 0) -> None:
        """Until the receiver has accepted every event there is; `check` says whether it did in order."""

        def all_there() -> bool:
            return {event["id"] for event in receiver.events()} >= set(self.ids(after))

        until(all_there, f"all events after {after}", seconds=60)

    def check(self, receiver: Receiver, after: int = 0) -> None:
        """Nothing is lost, nothing out of order, whatever came twice is the same message; all of it is signed."""
        accepted = [event["id"] for event in receiver.events()]
        assert list(dict.fromkeys(accepted)) == self.ids(after)
        by_id: dict[str, bytes] = {}
        for request in receiver.requests:
            verify(request)
            assert by_id.setdefault(request.headers["webhook-id"], request.body) == request.body
            assert len({event["runid"] for event in request.events}) == 1
            assert len(request.events) <= 500


def verify(request: Received) -> None:
    """By the reference implementation of Standard Webhooks."""
    assert Webhook(SECRET).verify(request.body, request.headers) == request.events
    assert request.headers["content-type"].startswith("application/cloudevents-batch+json")


@pytest.fixture
def plant(tmp_path: Path, database_url: str) -> Iterator[Plant]:
    cloud = Cloud("glance", [image(number) for number in range(IMAGES)])
    with CloudServer(cloud) as server, ExitStack() as stack:
        yield Plant(tmp_path, database_url, cloud, server, stack)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
