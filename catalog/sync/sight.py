"""Of what is missing, what whoever asked may just not have been shown: its lack proves nothing (semantics 4.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set

from catalog.model import ImageService
from catalog.store.history.ledger import Ledger
from catalog.store.history.reach import Reach, common, is_beyond, is_keyed, project_of, without_keys
from catalog.store.state import stored_state
from catalog.sync.buffer import ListingBuffer
from catalog.sync.context import SweepContext


def none_like(owner_of: Mapping[str, str], shown: Iterable[tuple[str | None, str | None]]) -> set[str]:
    """Those of some missing images, with their owners, of which no record is of the kind; `shown`: visibility and owner
    of new records that are not public. One alone is an image that was the last of its kind."""
    for _, owner in shown if owner_of else ():
        owner_of = {i: other for i, other in owner_of.items() if other not in ("", owner)}
        if not owner_of:
            break
    return set(owner_of) if len(owner_of) > 1 else set()


class Sight:
    """What the logins of a sweep see. `measure`: the rights that they are compared with; `missing`: what was not
    listed."""

    def __init__(
        self,
        sweep: SweepContext,
        service: ImageService,
        buffer: ListingBuffer,
        measure: frozenset[str],
        missing: Set[str],
    ) -> None:
        self.sweep = sweep
        self.service = service
        self.buffer = buffer
        self.measure = measure
        self.missing = missing

    def lost(self, again: bool = False) -> frozenset[str]:
        """Rights that some login so far doesn't have; given True, one that is made now."""
        return self.measure - self.measure.intersection(*self.service.logins(again=again))

    def lost_rights(self, again: bool = False) -> Reach:
        """Those of them that tell what a login reaches."""
        return without_keys(self.lost(again))

    def unseen(self, ids: Collection[str]) -> set[str]:
        """Those of some missing images of whose kind nothing is listed (semantics 4.5, limit)."""
        if self.sweep.source.auth == "none":
            return set()
        project = None if self.lost() else self.service.project_id
        with self.sweep.database.transaction(read_only=True) as connection:
            owner_of = stored_state.unseen(
                connection,
                self.sweep.source_id,
                ids,
                self.missing,
                project,
                by_owner=any(map(is_keyed, self.service.logins())),
            )
        return none_like(owner_of, self.buffer.restricted())

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
            images = stored_state.restricted(connection, source_id, self.missing, project)
            shown = Ledger(connection, source_id).shown(images, observed_at)
            was_private = any(images[i][1] == "private" for i in shown)
            saw_all = project is not None and is_keyed(login) and len(shown) > 1 and was_private
            seen = set() if saw_all else {image_id for image_id, reach in shown.items() if reach <= login}
            doubtful = images.keys() & set(ids) - seen
            shows = stored_state.shows_private(connection, source_id, self.missing) if doubtful else set()
        for visibility, owner in self.buffer.restricted() if doubtful else ():
            if visibility == "private":
                shows.add(owner)
        return {i for i in doubtful if is_beyond(images[i][0], login, shows)}
