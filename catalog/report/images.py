"""The listing of `catalog images`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from catalog.errors import UsageError
from catalog.report.page_data import STATES as PRESENT_STATES
from catalog.report.queries import IMAGES_NOW, IMAGES_THEN, Report, ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement

GONE = "gone"
STATES = (*PRESENT_STATES, GONE)
"""States of `image_lifecycle`, from what can be used to what is gone."""
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Other words for an architecture."""
OS_TEXT = "os.distro || coalesce('-' || os.release, '')"
"""What `--os` takes: ubuntu-22.04."""
ORDERS = {
    "source": "i.source",
    "name": "lower(i.name)",
    "status": "i.status",
    "visibility": "i.visibility",
    "os": OS_TEXT,
    "owner": "coalesce(p.name, i.owner)",
    "created": "i.created_at",
    "updated": "i.updated_at",
    "size": "true_size(i.kind, i.image_type, i.image_size, i.size)",
    "deleted": "i.deleted_at",
    "id": "i.image_id",
}
"""What images can be sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """What `catalog images` is asked for. An image must fit all that is given; None and empty: whatever."""

    text: str | None = None
    """Part of a name or an id, in any case."""
    sources: tuple[str, ...] = ()
    """Globs; none: all that are not retired."""
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    os: str | None = None
    arch: str | None = None
    status: str | None = None
    visibility: str | None = None
    owner: str | None = None
    """Id or name of a project."""
    state: str | None = None
    """Of `image_lifecycle`; known for the present only."""
    as_of: datetime | None = None
    deleted: bool = False
    """Deleted images instead of live ones."""
    sort: str = "source"
    """Of ORDERS; with a minus before it, downwards."""
    limit: int | None = None


def list_images(connection: psycopg.Connection[TupleRow], wanted: ImageFilter) -> Report:
    """The images that fit. Raises UsageError for a glob that no source fits, for a state of the past, an unknown order,
    and a moment whose history was pruned."""
    key = wanted.sort.removeprefix("-")
    if key not in ORDERS:
        raise UsageError(f"images are sorted by {', '.join(ORDERS)}, not by {key!r}")
    if wanted.state is not None and wanted.as_of is not None:
        raise UsageError("states are known for the present only: leave out --state or --as-of")
    order = f"{ORDERS[key]} {'DESC' if wanted.sort.startswith('-') else 'ASC'} NULLS LAST"
    sql = statement("images/list").replace("{images}", IMAGES_NOW if wanted.as_of is None else IMAGES_THEN)
    sql = sql.replace("{order}", f"{order}, i.source, lower(i.name), i.image_id")
    values: dict[str, Any] = {
        "text": wanted.text,
        "sources": asked_sources(connection, wanted.sources, wanted.as_of),
        "tags": list(wanted.tags) or None,
        "capabilities": list(wanted.capabilities) or None,
        "os": wanted.os,
        "arch": ARCHITECTURES.get(wanted.arch.lower(), wanted.arch) if wanted.arch else None,
        "status": wanted.status,
        "visibility": wanted.visibility,
        "owner": wanted.owner,
        "state": wanted.state,
        "as_of": wanted.as_of,
        "deleted": wanted.deleted or wanted.state == GONE,
        "limit": wanted.limit,
    }
    return ask(connection, sql.replace("{os_text}", OS_TEXT), values)
