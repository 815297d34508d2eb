"""Absences in stored listings that come to be the last word on live images, as an older one is loaded or a later one is
forgotten: what the deletion limit holds there beside mere numbers (semantics 4.5, limit, and 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from datetime import datetime

from catalog.config.settings import SourceSettings
from catalog.model import NO_LOGIN
from catalog.store.db.connection import Connection
from catalog.store.history.ledger import Ledger
from catalog.store.history.within_reach import is_keyed, project_of
from catalog.store.state import sources, stored_state
from catalog.sync.deletion_limit import none_like


def unseen(
    connection: Connection, source: SourceSettings, source_id: str, at: datetime, ids: Set[str]
) -> set[str]:
    """Those of some images of whose kind the listing of a moment shows nothing, or that a plain listing leaves out."""
    ledger = Ledger(connection, source_id)
    shown, observed = ledger.shown_kinds(at), ledger.observed(at)
    if not shown or observed is None:
        return set(ids)
    login, result = observed.login, set()
    if login is None:
        own = sources.known(connection, source.name).project_id
        owners = {owner for visibility, owner in shown if visibility == "community"}
        result = left_out(connection, source_id, own, ids, lambda: owners)
    if NO_LOGIN in login if login is not None else source.auth == "none":
        return result
    missing = stored_state.unlisted(connection, source_id, ids)
    images = stored_state.not_public(connection, source_id, {*ids, *missing})
    others = {kind for kind in shown if kind[0] != "public"}
    project = None if login is None else project_of(login)
    return (result | none_like(images, others, project, by_owner=is_keyed(login or ()))) & ids


def left_out(
    connection: Connection,
    source_id: str,
    project: str | None,
    ids: Collection[str],
    owners: Callable[[], Set[str | None]],
) -> set[str]:
    """Those of some images that a plain listing leaves out: other projects' shares that are not accepted, and Glance's
    community images of others, unless it was asked for them and holds some. `owners`: of community images that it
    holds. `project`: the listing's own."""
    shares = stored_state.of_others(connection, source_id, project, ids, "shared")
    community = stored_state.of_others(connection, source_id, project, ids, "community")
    # not knowing which project is its own, one of two owners is another
    if community and len(owners() - {project, None}) > (project is None):
        community = {}
    return {*shares, *community}
