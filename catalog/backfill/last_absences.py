"""Absences in stored listings that come to be the last word on live images, as an older one is loaded or a later one is
forgotten: what the deletion limit holds there beside mere numbers (semantics 4.5, limit, and 7.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from datetime import datetime, timedelta

from catalog.config.settings import SourceSettings
from catalog.model import NO_LOGIN
from catalog.store.db.connection import Connection
from catalog.store.history.ledger import FOUND, LIVES_UNLISTED, MISSED_KINDS, Ledger, among
from catalog.store.history.within_reach import is_keyed, project_of
from catalog.store.state import sources, stored_state
from catalog.store.state.stored_state import Kind
from catalog.sync.deletion_limit import is_above_limit, none_like


def beyond_limit(
    connection: Connection, source: SourceSettings, source_id: str, at: datetime, ids: Set[str]
) -> set[str]:
    """Those of some images that the deletion limit holds where the listing of a moment is the last word on them: all of
    them, if it lacks too much of what lived before it, be it seen again since; else those of whose kind it shows
    nothing, or that a plain listing leaves out."""
    ledger = Ledger(connection, source_id)
    shown, observed = ledger.shown_kinds(at), ledger.observed(at)
    if not shown or observed is None:
        return set(ids)
    said = ledger.load_set(observed.inconclusive_set)
    lacked = {*ids, *stored_state.ended_at(connection, source_id, at), *among(said, MISSED_KINDS)}
    before = stored_state.live_at(connection, source_id, at - timedelta.resolution, LIVES_UNLISTED)
    lacked &= {image_id for image_id, counts in before.items() if counts or image_id in ids}
    lacked -= said.get("kept", frozenset()) | said.get(FOUND, frozenset())
    if is_above_limit(len(lacked), len(before), source):
        return set(ids)
    login, result, own = observed.login, set(), None
    if login is None:
        own = sources.known(connection, source.name).project_id
        owners = {owner for visibility, owner in shown if visibility == "community"}
        result = left_out(connection, source_id, own, ids, lambda: owners)
    if NO_LOGIN in login if login is not None else source.auth == "none":
        return result
    missing = stored_state.unlisted(connection, source_id, ids)
    images = stored_state.not_public(connection, source_id, {*ids, *missing, *lacked})
    others = {kind for kind in shown if kind[0] != "public"}
    result |= of_own_project(images, others, own)
    project = None if login is None else project_of(login)
    return (result | none_like(images, others, project, by_owner=is_keyed(login or ()))) & ids


def of_own_project(images: Mapping[str, Kind], shown: Collection[Kind], project: str | None) -> set[str]:
    """Those of some missing images that are the source's own project's, where a listing, of which no login is known,
    shows another one's private images and none like them of that project: it may be the other's."""
    if not any(visibility == "private" and owner not in (None, project) for visibility, owner in shown):
        return set()
    own = {image_id: kind for image_id, kind in images.items() if kind[1] == project is not None}
    return none_like(own, shown, None, by_owner=True)


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
