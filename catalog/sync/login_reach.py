"""Of what is missing, what whoever asked may just not have been shown: its lack proves nothing (semantics 4.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from catalog.model import ImageService
from catalog.store.db.connection import Connection
from catalog.store.history.ledger import Ledger
from catalog.store.history.within_reach import (
    Reach,
    common,
    is_beyond,
    is_keyed,
    lacking,
    project_of,
    without_keys,
)
from catalog.store.state import stored_state
from catalog.store.state.stored_state import Kind
from catalog.sync.buffer import ListingBuffer
from catalog.sync.deletion_limit import none_like
from catalog.sync.sweep_context import SweepContext


class LoginReach:
    """What the logins of a sweep see. `measure`: the rights that they are compared with; `missing`: what was not
    listed."""

    def __init__(
        self,
        sweep: SweepContext,
        service: ImageService,
        buffer: ListingBuffer,
        measure: frozenset[str],
        missing: set[str],
    ) -> None:
        self.sweep = sweep
        self.service = service
        self.buffer = buffer
        self.measure = measure
        self.missing = missing

    def lost(self, again: bool = False) -> frozenset[str]:
        """Rights that some login so far doesn't have; given True, one that is made now."""
        return lacking(self.measure, self.service.logins(again=again))

    def lost_rights(self, again: bool = False) -> Reach:
        """Those of them that tell what a login reaches."""
        return without_keys(self.lost(again))

    def unseen(self, ids: Collection[str]) -> set[str]:
        """Those of some missing images of whose kind nothing is listed (semantics 4.5, limit)."""
        if self.sweep.source.auth == "none":
            return set()
        by_owner = any(map(is_keyed, self.service.logins()))
        with self.sweep.database.transaction(read_only=True) as connection:
            images = stored_state.not_public(connection, self.sweep.source_id, ids)
            shown = self._shown(connection) if images else ()
        project, another = self.service.project_id, by_owner and bool(self.lost())
        return none_like(images, shown, project, by_owner=by_owner, another_key=another)

    def _shown(self, connection: Connection) -> Iterator[Kind]:
        """The kinds of what was listed or found; what came with a new record is judged by that."""
        but = self.missing.union(self.buffer.seen_parts[1])
        return chain(stored_state.kinds(connection, self.sweep.source_id, but), self.buffer.restricted())

    def unreached(self, ids: Collection[str]) -> set[str]:
        """Those of some missing images that this login may not be able to see (semantics 4.5, login reach). A key that
        was shown another project's private images reaches less by now if it is shown none; but one alone may be the
        last of its kind."""
        if not ids:
            return set()
        login = common(self.service.logins()) or frozenset()
        project = project_of(login)
        source_id, observed_at = self.sweep.source_id, self.sweep.run.observed_at
        assert observed_at is not None
        with self.sweep.database.transaction(read_only=True) as connection:
            images = stored_state.restricted(connection, source_id, self.missing, ids, project)
            shown = Ledger(connection, source_id).shown(images, observed_at)
            was_private = any(images[i][1] == "private" for i in shown)
            saw_all = project is not None and is_keyed(login) and len(shown) > 1 and was_private
            seen = set() if saw_all else {image_id for image_id, reach in shown.items() if reach <= login}
            doubtful = images.keys() & set(ids) - seen
            shown_now = self._shown(connection) if doubtful else ()
        shows = {owner for visibility, owner in shown_now if visibility == "private"}
        return {i for i in doubtful if is_beyond(images[i][0], login, shows)}
