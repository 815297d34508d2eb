"""The records of one observation as saved files bring them: each image once, in whatever order they came.

Small observations stay in memory; of larger ones only ids and fingerprints do (and beyond a bound not even
those), and the files are read a second time when their records are merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from itertools import islice

from catalog.backfill.id_table import Entry, IdTable
from catalog.batches import batched
from catalog.fetch.files.client_output import unnested
from catalog.fetch.files.reader import BrokenDump, Dump
from catalog.fields import INDEX
from catalog.fingerprint import fingerprint
from catalog.mapping import MappingRules, Rejected, map_record, rejected_text
from catalog.model import Candidate, ListedIds, MappedImage, RejectedRecord

MEMORY = 8 * 2**20
"""Bytes of records kept in memory instead of being read again."""
_MEMORY_OF_IMAGES = 2 * 2**20
"""Bytes of records whose images are kept; an image takes about eight times its record."""
_MEMORY_OF_HASHES = 50_000
_STEP = 500
_CREATED_AT, _HIDDEN = INDEX["created_at"], INDEX["hidden"]
Step = Callable[[Dump, int, bool], None]
"""Told after each step of reading: the file, how many records came, and whether it is read once more."""


Identity = tuple[str, bytes, datetime | None, bool]
"""Image id, fingerprint and `created_at` of a record, and whether it calls the image hidden."""


class MappingCache:
    """What bytes that were met before are: listings of one source repeat most of their records."""

    def __init__(self, rules: MappingRules) -> None:
        self.rules = rules
        self.hashes: dict[bytes, Identity] = {}
        """Hash of the bytes -> what identifies the record."""
        self._images: dict[bytes, MappedImage] = {}
        self._size = 0

    def identify(self, raw: bytes) -> Identity:
        """What identifies a record. Raises Rejected."""
        raw_hash = fingerprint(raw)
        known = self.hashes.get(raw_hash)
        return known if known is not None else self.learn(raw, raw_hash)

    def image(self, raw: bytes) -> MappedImage:
        """The record mapped. Raises Rejected."""
        raw_hash = fingerprint(raw)
        image = self._images.get(raw_hash)
        if image is None:
            image = map_record(raw, self.rules)
            self._keep(image, raw, raw_hash)
        return image

    def learn(self, raw: bytes, raw_hash: bytes) -> Identity:
        """As `identify`, for bytes that were not met before."""
        image = map_record(raw, self.rules)
        self._keep(image, raw, raw_hash)
        if len(self.hashes) >= _MEMORY_OF_HASHES:
            self.hashes.clear()
        created = image.values[_CREATED_AT]
        created = created if isinstance(created, datetime) else None
        known = (image.image_id, image.content_hash, created, bool(image.values[_HIDDEN]))
        self.hashes[raw_hash] = known
        return known

    def _keep(self, image: MappedImage, raw: bytes, raw_hash: bytes) -> None:
        size = _length(raw)
        if self._size + size > _MEMORY_OF_IMAGES:
            self._images.clear()
            self._size = 0
        if size <= _MEMORY_OF_IMAGES:
            self._images[raw_hash] = image
            self._size += size


class RecordSet:
    """What some files hold together. Of an image's records the later `updated_at` counts, else the greater
    canonical form (semantics 4.6), else, in an archive, the one read last (4.3), as the sweep took it."""

    def __init__(
        self,
        dumps: Sequence[Dump],
        mappings: MappingCache,
        step: Step,
        *,
        archived: bool = False,
        too_late: tuple[datetime, datetime] | None = None,
    ) -> None:
        """`archived`: by a sweep of ours. `too_late`: a record created between these was not there to be seen."""
        self.dumps = dumps
        self.mappings = mappings
        self._step = step
        self._archived = archived
        self._too_late = too_late
        self.records = 0
        self.pages = 0
        self.nameless = False
        """A record without a usable id is among them, so absence proves nothing."""
        self.has_hidden = False
        """A hidden image is among them, so that hidden ones were not left out."""
        self._table = IdTable()
        self._rejected: dict[bytes, RejectedRecord] = {}
        self._contested: set[str] = set()
        self._raws: list[bytes] | None = []
        self._size = 0

    def __len__(self) -> int:
        """How many images."""
        return len(self._table)

    def close(self) -> None:
        self._table.close()
        self._raws = None

    # ---- reading -----------------------------------------------------------------------------------

    def read(self) -> None:
        """Reads all files. Raises BrokenDump for the first one that cannot be read whole."""
        for dump in self.dumps:
            for records in self._records(dump):
                self._add(records, dump)
                self._step(dump, len(records), False)
            self.pages += dump.pages
        if self._contested:
            self._resolve_duplicates()

    def _records(self, dump: Dump) -> Iterator[Sequence[bytes]]:
        """As a file holds them; what the `openstack` client nested is taken out of its nest."""
        if self._archived:
            yield from dump.read()
            return
        for records in dump.read():
            try:
                yield [unnested(bytes(raw)) for raw in records]
            except ValueError as error:
                raise BrokenDump(dump.path, None, str(error)) from None

    def _add(self, records: Sequence[bytes], dump: Dump) -> None:
        batch: dict[str, Entry] = {}
        contested = self._contested
        known = self.mappings.hashes
        for number, raw in enumerate(records, self.records):
            raw_hash = fingerprint(raw)
            identity = known.get(raw_hash)
            if identity is None:
                try:
                    identity = self.mappings.learn(raw, raw_hash)
                except Rejected as rejection:
                    self._reject(raw, rejection)
                    continue
            image_id, content_hash, created, hidden = identity
            self.has_hidden |= hidden
            if self._too_late and created and self._too_late[0] < created <= self._too_late[1]:
                raise self._misdated(dump, image_id, created)
            before = batch.get(image_id)
            if before is None:
                batch[image_id] = content_hash, number
            elif before[0] != content_hash:
                contested.add(image_id)
        self.records += len(records)
        for image_id, before in self._table.get(batch).items():
            if before[0] != batch.pop(image_id)[0]:
                contested.add(image_id)
        self._table.put(batch)
        self._keep(records)

    def _misdated(self, dump: Dump, image_id: str, created: datetime) -> BrokenDump:
        return BrokenDump(
            dump.path,
            None,
            f"image {image_id} was created at {created.isoformat()}, after the moment that it is said to have been"
            " seen (a date alone is its midnight); give the right one with --observed-at",
        )

    def _keep(self, records: Sequence[bytes]) -> None:
        if self._raws is None:
            return
        self._size += sum(map(_length, records))
        if self._size > MEMORY:
            self._raws = None
        else:
            self._raws.extend(records)

    def _reject(self, raw: bytes, rejection: Rejected) -> None:
        record = RejectedRecord(rejection.reason, rejected_text(raw, self.mappings.rules), rejection.image_id)
        self.nameless = self.nameless or rejection.image_id is None
        self._rejected[fingerprint(record.record.encode("utf-8", "surrogatepass"))] = record

    def _resolve_duplicates(self) -> None:
        """Decides which of several differing records of an image counts."""
        best: dict[str, tuple[tuple[datetime, str | int], Entry]] = {}
        for number, raw, (image_id, content_hash, *_) in self._identified(self._numbered()):
            if image_id not in self._contested:
                continue
            image = self.mappings.image(raw)
            rank = (image.updated_at, number) if self._archived else image.precedence
            if image_id not in best or rank > best[image_id][0]:
                best[image_id] = rank, (content_hash, number)
        self._table.put({image_id: entry for image_id, (_, entry) in best.items()})
        self._contested.clear()

    # ---- what was read -----------------------------------------------------------------------------

    def digest(self) -> str:
        """Stands for the canonical content, in whatever order and form it came."""
        digest = hashlib.sha256()
        hashes = self._table.hashes()
        while part := b"".join(islice(hashes, 10_000)):
            digest.update(part)
        # the id is a part of the canonical form, so that the fingerprints say all
        for record_hash in sorted(self._rejected):
            digest.update(b"rejected" + record_hash)
        return digest.hexdigest()

    @property
    def rejected(self) -> list[RejectedRecord]:
        return list(self._rejected.values())

    def inconclusive(self) -> set[str]:
        """Images of which nothing but a rejected record came."""
        ids = {record.image_id for record in self._rejected.values() if record.image_id is not None}
        return ids - self._table.get(ids).keys()

    def among(self, contents: Mapping[str, bytes]) -> set[str]:
        """The images whose fingerprint is the one given for their id."""
        rows = self._table.rows
        if rows is not None:
            return {image_id for image_id, (hash_, _) in rows.items() if contents.get(image_id) == hash_}
        same: set[str] = set()
        for part in batched(contents, _STEP):
            entries = self._table.get(part)
            same.update(image_id for image_id in entries if entries[image_id][0] == contents[image_id])
        return same

    def held(self, ids: Set[str]) -> set[str]:
        """Those of the ids that are among the images."""
        return self._table.among(ids)

    def some_ids(self, most: int) -> list[str]:
        """Ids of images, all or as many as that."""
        return list(islice(self._table, most))

    @property
    def many_ids(self) -> ListedIds | None:
        """The ids, where they are too many for memory."""
        return self._table if self._table.rows is None else None

    def leave_out(self, ids: Set[str]) -> None:
        self._table.remove(ids)

    def candidates(self, known: Set[str], found: Set[str]) -> Iterator[Candidate]:
        """The images mapped, those that are `known` left out; `found`: brought by look-ups, not listed."""
        rows, raws = self._table.rows, self._raws
        if rows is not None and raws is not None:
            wanted = sorted(entry[1] for image_id, entry in rows.items() if image_id not in known)
            for number in wanted:
                yield self._candidate(raws[number], found)
            return
        for batch in batched(self._numbered(), _STEP):
            images = [
                (number, raw, image_id, hash_)
                for number, raw, (image_id, hash_, *_) in self._identified(batch)
            ]
            entries = self._table.get(image_id for _, _, image_id, _ in images if image_id not in known)
            for number, raw, image_id, hash_ in images:
                entry = entries.get(image_id)
                if entry is None or entry[1] != number:
                    continue
                if entry[0] != hash_:
                    raise self._changed()
                yield self._candidate(raw, found)

    def _candidate(self, raw: bytes, found: Set[str]) -> Candidate:
        image = self.mappings.image(raw)
        listed = image.image_id not in found
        return Candidate(image, fingerprint(raw) if listed else None, listed)

    def _identified(self, records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, Identity]]:
        for number, raw in records:
            try:
                yield number, raw, self.mappings.identify(raw)
            except Rejected:
                continue

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        """All records as they were read, from memory or from the files once more."""
        if self._raws is not None:
            yield from enumerate(self._raws)
            return
        number = 0
        for dump in self.dumps:
            for records in self._records(dump):
                yield from enumerate(records, number)
                number += len(records)
                self._step(dump, 0, True)
        if number != self.records:
            raise self._changed()

    def _changed(self) -> BrokenDump:
        return BrokenDump(self.dumps[-1].path, None, "a file of this moment changed while it was read")


def _length(raw: bytes) -> int:
    return len(raw) if isinstance(raw, bytes) else memoryview(raw).nbytes
