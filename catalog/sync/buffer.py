"""Sorts the records of a listing as they come: known bytes are only ticked off, all others are set aside.

Memory grows with the number of images by their hashes and ids alone; the records wait in a file without a
name until the network is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import cast

from catalog.config.settings import DEFAULT_SPOOL_LIMIT
from catalog.deadline import Deadline
from catalog.errors import FetchError, NotSupported
from catalog.fetch.http.background import DeadlineTask
from catalog.fields import INDEX
from catalog.fingerprint import fingerprint
from catalog.mapping import MappingRules, Rejected, map_record, peek, rejected_text
from catalog.mapping.credentials import redacted
from catalog.mapping.values import timestamp
from catalog.model import Candidate, InconclusiveKind, MappedImage, RejectedRecord
from catalog.store.state.stored_state import StoredState
from catalog.sync.spill_file import SpillFile
from catalog.text import bounded

KIND = ("visibility", "owner", "os_type")
Kind = tuple[str | None, str | None, str | None]
MOST_NEW_IMAGES = 1_000_000
"""New or changed images of one sweep: their ids stay in memory. A source of more is read in several sweeps."""
MOST_REJECTED = 10_000
LARGEST_QUOTED_BYTES = 2**20
LONGEST_QUOTED_CHARACTERS = 64 * 2**10
"""Of the text of a rejected record; of one with more bytes than that only size and hash are kept."""
MOST_REJECTED_CHARACTERS = 16 * 2**20
LAST_SHARE = 0.05
"""Of the deadline, left to the end of a merge whose records were not all read in time."""
LEAST_SECONDS = 0.5
"""Of such a merge for its records, however late it begins; the database has four times that (`Deadline.to_write`)."""


class TooManyImages(FetchError):
    """A listing brings more new images than one sweep takes; the next sweep takes the next ones."""

    error_kind = "bad_listing"


class ListingBuffer:
    """The records of one observation. `archive` is handed each record, ready to be mapped again.

    `deadline` ends the merge, and a tenth earlier the intake. At most MOST_REJECTED records are kept of those that
    can't be stored, and MOST_REJECTED_CHARACTERS of them; `rejections` counts all.
    """

    def __init__(
        self,
        present: StoredState,
        rules: MappingRules,
        deadline: Deadline,
        archive: Callable[[str], None] | None = None,
        spool_limit: int = DEFAULT_SPOOL_LIMIT,
    ) -> None:
        self.cut = False
        """True: the time was over before all records were merged."""
        self.rejections = 0
        self._deadline = deadline
        self._reading = DeadlineTask.before_merge(deadline)
        self._moments: dict[str, float] = {}
        self._room = MOST_REJECTED_CHARACTERS
        self.present = present
        self.rules = rules
        self.rejected: list[RejectedRecord] = []
        self.inconclusive: dict[str, InconclusiveKind] = {}
        self.has_nameless = False
        self.since = float("-inf")
        """Older records are refused: the service takes no notice of what it was asked."""
        self._archive = archive
        self._unchanged: set[str] = set()
        self._entries: dict[str, int] = {}
        self._found: set[str] = set()
        self._contested: dict[str, bool] = {}
        self._storable: set[str] = set()
        self._spilled = SpillFile(spool_limit)

    def close(self) -> None:
        self._spilled.close()

    @property
    def seen(self) -> set[str]:
        """Ids of all images that the observation speaks of."""
        return self._unchanged | self._entries.keys() | self.inconclusive.keys()

    @property
    def seen_parts(self) -> tuple[Collection[str], ...]:
        """`seen` in the parts it is kept in: a union of a million ids takes as much memory again."""
        return self._unchanged, self._entries.keys(), self.inconclusive.keys()

    def restricted(self) -> Iterator[tuple[str | None, str | None]]:
        """Visibility and owner of each new or changed record that is not public, as far as there is time."""
        for _, (visibility, owner, _) in self._kinds():
            if visibility != "public":
                yield visibility, owner

    def listed_anew(self) -> dict[Kind, str]:
        """Of each kind a live image that was listed with a new or changed record, as far as there is time."""
        return {
            kind: image.image_id
            for image, kind in self._kinds()
            if not image.reported_deleted and image.image_id not in self._found
        }

    def _kinds(self) -> Iterator[tuple[MappedImage, Kind]]:
        for image_id in self._entries:
            try:
                self._reading.check()
                image = map_record(self._read(image_id), self.rules)
            except FetchError:
                break
            except Rejected:
                continue
            yield image, cast("Kind", tuple(image.values[INDEX[column]] for column in KIND))

    @property
    def listed(self) -> int:
        """How many images were read, each once."""
        return len(self._unchanged) + len(self._entries) - len(self._contested)

    def add(self, records: Sequence[bytes], *, listed: bool = True) -> None:
        """Takes a page. Of two records of an image the one with the later `updated_at` counts, else the one read
        last; but one that can be stored before one that can't.

        Raises DeadlineError, Stopped, SpillError or TooManyImages between two records: those before are kept.
        """
        self._reading.check()
        known, unchanged = self.present.by_raw, self._unchanged
        for raw in records:
            raw_hash = fingerprint(raw)
            image_id = known.get(raw_hash) if listed else None
            if self._archive is not None:
                self._keep(raw)
            if image_id is None:
                self._set_aside(bytes(raw), listed)
            elif image_id in self._entries and self._can_store_entry(image_id):
                self._contested[image_id] = False
                unchanged.add(image_id)
            else:
                self._entries.pop(image_id, None)
                unchanged.add(image_id)

    def _keep(self, raw: bytes) -> None:
        self._reading.check()
        assert self._archive is not None
        try:
            self._archive(map_record(raw, self.rules).archived)
        except Rejected:
            return  # it goes to the archive's trailer, with its reason

    def _set_aside(self, raw: bytes, listed: bool) -> None:
        self._reading.check()
        image_id, updated_at = peek(raw)
        if _NEVER < _moment(updated_at) < self.since:
            raise NotSupported("it lists images that changed before")
        if image_id is None:
            self._reject_nameless(raw)
            return
        if image_id in self._entries or image_id in self._unchanged:
            if not self._can_store(image_id, raw):
                return
            moment = _moment(updated_at)
            held = image_id in self._entries and self._can_store_entry(image_id)
            if held and self._updated_at(image_id) > moment:
                return
            self._storable.add(image_id)
            self._moments[image_id] = moment
        if len(self._entries) >= MOST_NEW_IMAGES and image_id not in self._entries:
            raise TooManyImages(
                f"more than {MOST_NEW_IMAGES:,} new images in one sweep; sweep again for the others"
            )
        self._entries[image_id] = self._spilled.put(raw)  # first: what has no room leaves no trace
        if image_id in self._unchanged:
            self._contested[image_id] = True
        if not listed:
            self._found.add(image_id)

    def _can_store_entry(self, image_id: str) -> bool:
        """Of the record set aside; looked at once, however many others come."""
        if image_id not in self._storable and self._can_store(image_id, self._read(image_id)):
            self._storable.add(image_id)
        return image_id in self._storable

    def _can_store(self, image_id: str, raw: bytes) -> bool:
        """Of one record of an image that was listed twice; one that can't be stored is kept as rejected."""
        try:
            map_record(raw, self.rules)
        except Rejected as rejection:
            self._reject(raw, rejection.reason, image_id)
            return False
        return True

    def _read(self, image_id: str) -> bytes:
        return self._spilled.read(self._entries[image_id])

    def _updated_at(self, image_id: str) -> float:
        """Remembered, as a record of megabytes may be followed by thousands of copies of its id."""
        moment = self._moments.get(image_id)
        if moment is None:
            moment = self._moments[image_id] = _moment(peek(self._read(image_id))[1])
        return moment

    def _reject_nameless(self, raw: bytes) -> None:
        try:
            map_record(raw, self.rules)
            reason = "the record has no usable id"
        except Rejected as rejection:
            reason = rejection.reason
        self.has_nameless = True
        self._reject(raw, reason)

    def _reject(self, raw: bytes, reason: str, image_id: str | None = None) -> None:
        self.rejections += 1
        if len(self.rejected) < MOST_REJECTED:
            stands_for_it = f"{len(raw):,} bytes, {redacted(raw)}"
            text = f"withheld: {stands_for_it}"
            if len(raw) <= LARGEST_QUOTED_BYTES and self._room > 0:
                text = rejected_text(raw, self.rules)
                if len(text) > LONGEST_QUOTED_CHARACTERS:
                    text = f"{text[:LONGEST_QUOTED_CHARACTERS]}... (cut: {stands_for_it})"
                self._room -= len(text)
            self.rejected.append(RejectedRecord(bounded(reason), text, image_id))

    def contested(self) -> set[str]:
        """Images listed twice, once with the bytes that are stored: `resolve_duplicates` needs their `updated_at`."""
        return set(self._contested)

    def resolve_duplicates(self, stored: dict[str, datetime | None]) -> None:
        """Decides which copy of the contested images counts, given the stored ones' `updated_at`."""
        for image_id, read_last in self._contested.items():
            mine, theirs = self._updated_at(image_id), stored.get(image_id)
            kept = theirs.timestamp() if theirs else _NEVER
            if mine > kept or (mine == kept and read_last):
                self._unchanged.discard(image_id)
            else:
                del self._entries[image_id]
        self._contested.clear()

    @property
    def unchanged(self) -> set[str]:
        return self._unchanged

    def candidates(self, *, complete: bool = True) -> Iterator[Candidate]:
        """The records set aside, mapped, each image once; what cannot be stored is rejected on the way.

        In the order of their ids, so that each index grows at its end: less work for the database, and less WAL.
        A merge that is done again reads them again, and finds the same. Where the time is over before all are read,
        those of an incomplete listing end there, and what look-ups found counts as unanswered; of a complete one
        DeadlineError is raised, as a part of it would be no evidence of absence.
        """
        ends = self._deadline.ends
        cut_at = ends - self._deadline.seconds * LAST_SHARE
        if not complete:
            cut_at = max(cut_at, time.monotonic() + LEAST_SECONDS)
        ids = sorted(self._entries, key=lambda image_id: (image_id in self._found, image_id))
        for number, image_id in enumerate(ids):
            may_be_cut = not complete or image_id in self._found
            if time.monotonic() > (cut_at if may_be_cut else ends):
                if not may_be_cut:
                    raise self._deadline.passed()
                self.cut = True
                self.inconclusive.update(dict.fromkeys(self._found.intersection(ids[number:]), "unanswered"))
                for late in ids[number:]:
                    del self._entries[late]
                return
            raw = self._spilled.read(self._entries[image_id])
            try:
                image = map_record(raw, self.rules)
            except Rejected as rejection:
                if image_id not in self.inconclusive:
                    self._reject(raw, rejection.reason, image_id)
                # found by a look-up alone, in a record that can't be stored: not listed, and nothing is proved
                self.inconclusive[image_id] = "unanswered" if image_id in self._found else "rejected"
                continue
            listed = image_id not in self._found
            yield Candidate(image, fingerprint(raw) if listed else None, listed)


_NEVER = float("-inf")


def _moment(updated_at: object) -> float:
    try:
        moment = timestamp(updated_at)
    except (ValueError, OverflowError):
        return _NEVER
    return moment.timestamp() if moment else _NEVER
