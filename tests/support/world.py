"""A simulated cloud, a source that names it, and what the tables say after its sweeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.cloud import Cloud
from catalog.fetch.auth.login import connect
from catalog.fetch.http.retry import Patience
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, RunResult
from catalog.store.db.connection import Database
from catalog.sync.changes_only import sweep_changes
from catalog.sync.sweep import sweep
from tests.support.cloud_server import CloudServer
from tests.support.records import image
from tests.support.rows import rows

HASTY = Patience(first_wait=0.002, longest_wait=0.01)
LEDGER = frozenset({"observations", "runs", "run_passes", "leases", "sources"})
"""Tables that every sweep writes: its own ledger."""


def hasty(source: SourceSettings, deadline: Deadline) -> ImageService:
    """The service as a sweep opens it, with back-off made short, and no CA bundle read for plain HTTP."""
    connection = dataclasses.replace(connect(source, deadline), verify=False)
    return open_service(source, deadline, connection, patience=HASTY)


def source(name: str = "s", **settings: Any) -> SourceSettings:
    return SourceSettings(name, settings.pop("kind", "glance"), **settings)


def moved(column: str, by: str) -> str:
    """SET of an UPDATE that moves a column with a time: without time zones, as Citus takes no other."""
    return f"{column} = (({column} AT TIME ZONE 'UTC') + interval '{by}') AT TIME ZONE 'UTC'"


A_DAY_LATER = f"UPDATE lookups SET {moved('asked_at', '-1 day')}, {moved('clock_at', '-1 day')}"
"""Look-ups are a day older."""


@dataclass
class Site:
    """One source of a database and the cloud behind it."""

    database: Database
    cloud: Cloud
    server: CloudServer
    source: SourceSettings

    def sweep(self, *, changed: dict[str, Any] | None = None, **options: Any) -> RunResult:
        """One sweep, of the source with some of its settings changed."""
        source = dataclasses.replace(self.source, **(changed or {}))
        return sweep(self.database, source, **{"opener": hasty, **options})

    def sweep_changes(self, *, changed: dict[str, Any] | None = None, **options: Any) -> RunResult:
        """One changes-only sweep."""
        source = dataclasses.replace(self.source, **(changed or {}))
        return sweep_changes(self.database, source, **{"opener": hasty, **options})

    # ---- the tables ---------------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of this source; `$` in the query stands for its source_id."""
        return rows(
            self.database,
            query.replace("$", "(SELECT source_id FROM sources WHERE name = %s)"),
            *([self.source.name] * query.count("$")),
            *values,
        )

    @property
    def source_id(self) -> str:
        [row] = self.rows("SELECT source_id FROM sources WHERE source_id = $")
        return str(row["source_id"])

    def images(self) -> dict[str, dict[str, Any]]:
        return {row["image_id"]: row for row in self.rows("SELECT * FROM images WHERE source_id = $")}

    def live(self) -> set[str]:
        return {image_id for image_id, row in self.images().items() if row["deleted_at"] is None}

    def reasons(self) -> dict[str, str]:
        """Reasons of deletion, by image."""
        return {i: row["deletion_reason"] for i, row in self.images().items() if row["deleted_at"]}

    def unlisted(self) -> set[str]:
        return {i for i, row in self.images().items() if row["unlisted_since"] is not None}

    def history(self, image_id: str) -> list[tuple[str, str]]:
        """(change, status of the record) of each revision, oldest first."""
        found = self.rows(
            "SELECT change, status FROM revisions WHERE source_id = $ AND image_id = %s ORDER BY observed_at",
            image_id,
        )
        return [(row["change"], row["status"]) for row in found]

    def spells(self, image_id: str) -> list[str]:
        found = self.rows(
            "SELECT status FROM status_history WHERE source_id = $ AND image_id = %s ORDER BY valid_from",
            image_id,
        )
        return [row["status"] for row in found]

    def held_for(self) -> dict[str, str]:
        """Reasons of open deletions, by image."""
        found = self.rows(
            "SELECT image_id, reason FROM held_deletions WHERE source_id = $ AND decision = 'open'"
        )
        return {row["image_id"]: row["reason"] for row in found}

    def decisions(self) -> dict[str, str]:
        found = self.rows(
            "SELECT image_id, decision FROM held_deletions WHERE source_id = $ ORDER BY decided_at"
        )
        return {row["image_id"]: row["decision"] for row in found}

    def run_rows(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM runs WHERE source_id = $ ORDER BY started_at, finished_at")

    def passes(self, run: RunResult) -> dict[str, str]:
        found = self.rows(
            "SELECT pass, verdict FROM run_passes WHERE source_id = $ AND run_id = %s", run.run_id
        )
        return {row["pass"]: row["verdict"] for row in found}

    def decide(self, image_id: str, decision: str) -> None:
        """What `catalog deletions keep` notes."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE held_deletions SET decision = %s, decided_at = now(), decided_by = 'test'"
                " WHERE image_id = %s AND decision = 'open'",
                (decision, image_id),
            )

    # ---- time ---------------------------------------------------------------------------------------

    def a_day_later(self) -> None:
        """All look-ups were made a day earlier than they were."""
        self._execute(A_DAY_LATER)

    def end_leases(self) -> None:
        """The lease of a process that does not come back has run out."""
        self._execute("UPDATE leases SET expires_at = now() - interval '1 second' WHERE holder IS NOT NULL")

    def _execute(self, statement: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(statement)

    # ---- requests -----------------------------------------------------------------------------------

    def look_ups(self) -> list[str]:
        """Ids that were asked for by address, in the order of asking."""
        return [
            request.path.rsplit("/", 1)[1]
            for request in self.server.requests
            if request.path.startswith("/v2/images/")
        ]


@dataclass
class Sites:
    """Opens sites on one database and closes them after the test."""

    database: Database
    _ends: list[Callable[[], Any]] = field(default_factory=list)

    def open(
        self, kind: Any = "glance", images: int | list[dict[str, Any]] = 3, name: str = "s", **settings: Any
    ) -> Site:
        records = [image(n) for n in range(images)] if isinstance(images, int) else images
        refuses = settings.pop("refuses", ())
        cloud = Cloud(kind, records, refuses=refuses)
        server = CloudServer(cloud)
        server.__enter__()
        self._ends.append(lambda: server.__exit__(None, None, None))
        source = SourceSettings(
            name,
            kind,
            endpoint=server.endpoint,
            auth="none",
            **{"page_size": 2, "deadline": 20.0, **settings},
        )
        return Site(self.database, cloud, server, source)

    def close(self) -> None:
        for end in reversed(self._ends):
            end()
