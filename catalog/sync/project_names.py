"""Names of projects beside a sweep, once a day, where `project_names` is set (docs/configuration.md)."""

from __future__ import annotations

import structlog

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import CatalogError, Stopped
from catalog.fetch.http.background import DeadlineTask
from catalog.model import ImageService
from catalog.store.db.connection import Database
from catalog.store.state import projects

log = structlog.get_logger("catalog.sweep")
LONGEST_ID = 255
"""Characters; no project's id is longer, and no index would hold it."""


def ask_names(
    database: Database, source: SourceSettings, source_id: str, service: ImageService, deadline: Deadline
) -> dict[str, tuple[str, str | None]] | None:
    """Project's id -> its name, its domain's name; None: it is not the time to ask.

    A failure is told in the log and brings nothing: it ends no sweep, and the next day asks again. Call it
    outside of any transaction.
    """
    if not source.project_names or DeadlineTask.before_merge(deadline).over:
        return None
    with database.transaction(read_only=True) as connection:
        if not projects.due(connection, source_id):
            return None
    try:
        told = service.project_names()
    except Stopped:
        return None
    except CatalogError as error:
        log.warning("names of projects could not be read", source=source.name, reason=str(error))
        return {}
    return {
        project_id: (name, domain) for project_id, name, domain in told if 0 < len(project_id) <= LONGEST_ID
    }
