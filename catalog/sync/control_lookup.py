"""Looks up images that were just listed, to see whether look-ups can be believed (semantics 4.5, control look-up)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache, partial

from catalog.errors import DeadlineError, LoginError, Stopped, ThrottledError
from catalog.model import ImageService, Lookup
from catalog.store.state import stored_state
from catalog.sync.buffer import ListingBuffer
from catalog.sync.sweep_context import SweepContext

ENDS_LOOKUPS = (DeadlineError, Stopped, ThrottledError, LoginError)
"""The next one would meet them as well: the time is over, or the cloud wants no more requests of ours."""
CONTROL_EVERY = 20
"""Answers that one control look-up vouches for; the first answer of a sweep has one of its own."""


class Control:
    """Looks up images that this sweep listed: while these are found, what look-ups say of others counts.

    `listed`: divides missing images by kind, each with the ids of listed ones, as much alike as there is, None where
    there is none. `lookup`: asks for one. `same_way`: asks for one as for those that are missing, where that is another
    way, which finds what is listed: if it does, the answers about others of the kind prove nothing, but those of other
    kinds may.
    """

    def __init__(
        self,
        listed: Callable[[Collection[str]], Iterable[tuple[Collection[str], Collection[str | None]]]],
        lookup: Callable[[str], Lookup],
        same_way: Callable[[str], Lookup] | None = None,
    ) -> None:
        self._listed = listed
        self._lookup = lookup
        self._same_way = same_way
        self.failed = False
        """Look-ups prove nothing more in this sweep."""
        self.failure: str | None = None
        """The wrong answer about a listed image, in one line."""

    def believed(self, missing: Collection[str]) -> set[str]:
        """Those whose look-ups can be believed. Once some can't, none in this sweep can."""
        kinds = () if self.failed else self._listed(missing)
        vouches = cache(self._vouch)  # one image may be the control of several kinds
        return {image_id for ids, listed in kinds if all(map(vouches, listed)) for image_id in ids}

    def _vouch(self, listed: str | None) -> bool:
        if self.failed:
            return False
        why, error = "no live image was listed that could be looked up in comparison", None
        if listed is not None:
            answer = self._lookup(listed)
            if answer.answer == "found":
                return True
            why = f"image {listed} was just listed, and its look-up says {answer.answer.replace('_', ' ')}"
            error = answer.error
        by_listing = (
            listed is not None and self._same_way is not None and self._same_way(listed).answer == "found"
        )
        if not isinstance(error, ENDS_LOOKUPS):
            again = "missing images stay live and are asked for again"
            of = " about images like it" if by_listing else ""
            self.failure = f"look-ups prove nothing in this sweep{of}: {why}; {again}"
        self.failed = not by_listing
        return False


def control_of(
    sweep: SweepContext, service: ImageService, buffer: ListingBuffer, missing: Collection[str]
) -> Control:
    """The control of a sweep's look-ups, once its passes are read. `missing`: what they don't list."""
    observed_at = sweep.run.observed_at
    assert observed_at is not None
    listed_anew, day = cache(buffer.listed_anew), observed_at.toordinal()

    def listed(asked: Collection[str]) -> list[tuple[list[str], list[str | None]]]:
        new = [(image_id, *kind) for kind, image_id in listed_anew().items()]
        but = {*missing, *buffer.seen_parts[1]}
        with sweep.database.transaction(read_only=True) as connection:
            return stored_state.alike(connection, sweep.source_id, asked, but, new, day)

    # in the listing with `id=` each one that is listed is found: that tells nothing of the addresses of others
    same_way = service.lookup if sweep.source.kind == "ims" else None
    return Control(listed, partial(service.lookup, listed=True), same_way)
