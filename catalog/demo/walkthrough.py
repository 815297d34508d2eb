"""The story of `catalog demo`: a simulated cloud of either kind, two sweeps, and what changed in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from catalog.config.settings import SourceSettings
from catalog.demo import Cloud, CloudServer, example_images
from catalog.demo.cloud import now
from catalog.errors import CatalogError
from catalog.model import RunResult, SourceKind
from catalog.store.db.connection import Database
from catalog.store.db.tables import metadata
from catalog.sync.sweep import sweep

KINDS: tuple[SourceKind, ...] = ("glance", "ims")
NAMES: dict[SourceKind, str] = {"glance": "demo-glance", "ims": "demo-ims"}
IMAGES: dict[SourceKind, int] = {"glance": 24, "ims": 40}
CHANGE_COLUMNS = ("source", "image", "what", "was", "is")


@dataclass(frozen=True, slots=True)
class DemoCloud:
    """One simulated cloud behind HTTP, and the source that reads it."""

    cloud: Cloud
    source: SourceSettings


@contextmanager
def simulated_clouds() -> Iterator[list[DemoCloud]]:
    """Glance and the Image Management Service on loopback, with images of every kind."""
    with ExitStack() as stack:
        clouds = []
        for kind in KINDS:
            cloud = Cloud(kind, example_images(kind, IMAGES[kind]))
            server = stack.enter_context(CloudServer(cloud))
            source = SourceSettings(
                NAMES[kind], kind, endpoint=server.endpoint, auth="none", region="demo", page_size=10
            )
            clouds.append(DemoCloud(cloud, source))
        yield clouds


def forget(database: Database) -> None:
    """Takes an earlier demo's rows out, so that the story is the same each time."""
    names = list(NAMES.values())
    tables = [table for table in metadata.tables.values() if "source_id" in table.columns]
    with database.transaction() as connection:
        for table in sorted(tables, key=lambda table: table.name == "sources"):
            connection.execute(
                f"DELETE FROM {table.name} WHERE source_id IN"
                " (SELECT source_id FROM sources WHERE name = ANY(%s))",
                (names,),
            )


def sweep_all(
    database: Database, clouds: list[DemoCloud], show: Callable[[RunResult], None]
) -> list[RunResult]:
    """One sweep of each; raises CatalogError if one is not complete, for then the story makes no sense."""
    results = []
    for each in clouds:
        result = sweep(database, each.source)
        show(result)
        if result.outcome != "complete":
            raise CatalogError(f"the demo's sweep of {result.source} ended {result.outcome}: {result.error}")
        results.append(result)
    return results


def let_change(clouds: list[DemoCloud]) -> None:
    """A new image, a status, a tag, a flag, a deletion."""
    glance, ims = (next(each.cloud for each in clouds if each.cloud.kind == kind) for kind in KINDS)
    private = [r["id"] for r in glance.records if r["visibility"] == "private" and r["status"] == "active"]
    model = next(record for record in glance.records if record["id"] == private[0])
    new_id = str(uuid.uuid4())
    new = {"id": new_id, "name": f"{model['os_distro']}-{model['os_version']}-fresh", "tags": ["env=test"]}
    links = {"self": f"/v2/images/{new_id}", "file": f"/v2/images/{new_id}/file"}
    glance.add({**model, **new, **links, "created_at": now(), "updated_at": now()})
    glance.change(private[1], status="deactivated")
    glance.change(private[2], tags=["env=prod", "golden"])
    gold = [r["id"] for r in ims.records if r.get("__support_kvm") == "true" and r["__imagetype"] == "gold"]
    own = [r["id"] for r in ims.records if r["__imagetype"] == "private" and r["status"] == "active"]
    ims.change(gold[0], __support_kvm="false")
    ims.delete(own[0])


def changes(database: Database, results: list[RunResult]) -> list[tuple[Any, ...]]:
    """Changes that these sweeps found, from `image_changes`; columns as in CHANGE_COLUMNS."""
    with database.transaction(read_only=True) as connection:
        rows = connection.execute(
            "SELECT source, name, coalesce(field, change), old_value, new_value FROM image_changes"
            " WHERE run_id = ANY(%s::uuid[]) AND field IS DISTINCT FROM 'updated_at'"
            " ORDER BY source, field NULLS FIRST, change, name",
            ([result.run_id for result in results],),
        ).fetchall()
    return [(*row[:3], _plain(row[3]), _plain(row[4])) for row in rows]


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
