"""A cloud that changes between sweeps in every way, and what the tables must say of it in the end."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.integration.run.truth import check_history, check_ledger, check_present
from tests.support.records import image, name_of, too_deep
from tests.support.rows import rows
from tests.support.world import Site, Sites

PRESENT = ("images", "image_tags", "image_capabilities", "image_properties")
UNSTORABLE = "too-deep"
_OWN_TIMES = {"source_id", "first_seen_at", "last_changed_at"}


def changed_site(sites: Sites, name: str = "s", images: int = 6, **settings: Any) -> Site:
    """A site that was swept once; then an image is renamed, one goes, one comes with a capability that nobody
    knew, and a record can't be stored."""
    site = sites.open(images=images, name=name, **settings)
    assert site.sweep().outcome == "complete"
    site.cloud.change(name_of(0), name="renamed", tags=["new"], status="deactivated")
    site.cloud.delete(name_of(1))
    site.cloud.add(image(images, __support_unheard="true"))
    site.cloud.add(too_deep(UNSTORABLE))
    return site


def check_as_undisturbed(site: Site) -> None:
    """After a sweep, the tables equal those of a source that sees the cloud for the first time, and history is
    of one piece."""
    site.end_leases()
    if site.cloud.find(UNSTORABLE):
        site.cloud.delete(UNSTORABLE)
    live = site.live()
    run = site.sweep(wait_seconds=10)
    assert run.outcome == "complete", run.error
    with site.database.transaction() as connection:
        check_history(connection)
        check_ledger(connection)
        check_present(connection, site.cloud, live, set())
    undisturbed = dataclasses.replace(site, source=dataclasses.replace(site.source, name="undisturbed"))
    assert undisturbed.sweep().outcome == "complete"
    assert _present(site) == _present(undisturbed)
    _forget(undisturbed)


def _present(site: Site) -> dict[str, list[str]]:
    live = site.live()
    return {
        table: sorted(
            repr({key: value for key, value in row.items() if key not in _OWN_TIMES})
            for row in site.rows(f"SELECT * FROM {table} WHERE source_id = $")
            if row["image_id"] in live
        )
        for table in PRESENT
    }


def _forget(site: Site) -> None:
    tables = rows(
        site.database,
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'source_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname = 'sources'",
    )
    (source,) = rows(site.database, "SELECT source_id FROM sources WHERE name = %s", site.source.name)
    with site.database.transaction() as connection:
        for row in tables:
            connection.execute(f"DELETE FROM {row['relname']} WHERE source_id = %s", (source["source_id"],))
