"""The records of one observation as saved files bring them: each image once, in whatever order they came.

Memory grows with the number of images by their ids and hashes alone; the records wait in a file without a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.fetch.files.client_output import UnreadableOutput, unnested
from catalog.fetch.files.reader import BrokenDump, Dump
from catalog.fields import INDEX
from catalog.fingerprint import fingerprint, fingerprint_of
from catalog.mapping import MappingRules, Rejected, encode_bytes, map_record, read_record, rejected_text
from catalog.model import Candidate, MappedImage, RejectedRecord
from catalog.store.state.stored_state import Kind
from catalog.sync.spill_file import SpillError, SpillFile

MOST_IMAGES = 1_000_000
"""Images of one observation: their ids stay in memory."""
_MEMORY_OF_IMAGES = 2 * 2**20
"""Bytes of records whose images are kept; an image takes about eight times its record."""
_MEMORY_OF_HASHES = 50_000
_CREATED_AT, _HIDDEN = INDEX["created_at"], INDEX["hidden"]
_VISIBILITY, _OWNER = INDEX["visibility"], INDEX["owner"]
_HASH = 16
"""Bytes of a fingerprint."""
_PLACE = 12
"""Bytes of a place in the spill file."""
Step = Callable[[Dump, int], None]
"""Told after each step of reading: the file, and how many records came."""
Identity = tuple[str, bytes, datetime | None, bool, Kind, bytes]
"""Image id, fingerprint and `created_at` of a record, whether it calls the image hidden, visibility and owner, and a
hash of all that it says, whatever is ignored or redacted, and however it is written."""


class MappingCache:
    """Remembers what bytes that were met before are: listings of one source repeat most of their records."""

    def __init__(self, rules: MappingRules) -> None:
        self.rules = rules
        self._hashes: dict[bytes, Identity] = {}
        """Hash of the bytes -> what identifies the record."""
        self._images: dict[bytes, MappedImage] = {}
        self._size = 0

    def identify(self, raw: bytes, raw_hash: bytes) -> Identity:
        """Identifies a record. Raises Rejected."""
        known = self._hashes.get(raw_hash)
        if known is None:
            image = self.image(raw, raw_hash)
            if len(self._hashes) >= _MEMORY_OF_HASHES:
                self._hashes.clear()
            created: Any = image.values[_CREATED_AT]
            kind: Any = image.values[_VISIBILITY], image.values[_OWNER]
            hidden, whole = bool(image.values[_HIDDEN]), fingerprint(encode_bytes(read_record(raw)))
            known = (image.image_id, image.content_hash, created, hidden, kind, whole)
            self._hashes[raw_hash] = known
        return known

    def image(self, raw: bytes, raw_hash: bytes) -> MappedImage:
        """The record mapped. Raises Rejected."""
        image = self._images.get(raw_hash)
        if image is None:
            image = map_record(raw, self.rules)
            size = _length(raw)
            if self._size + size > _MEMORY_OF_IMAGES:
                self._images.clear()
                self._size = 0
            if size <= _MEMORY_OF_IMAGES:
                self._images[raw_hash] = image
                self._size += size
        return image


class RecordSet:
    """The records of some files together. Of an image's records the later `updated_at` counts, else the greater
    canonical form (semantics 4.6), else, in an archive, the one read last (4.3), as the sweep took it."""

    def __init__(
        self,
        dumps: Sequence[Dump],
        mappings: MappingCache,
        step: Step,
        spool_limit: int,
        *,
        archived: bool = False,
        too_late: tuple[datetime, datetime] | None = None,
    ) -> None:
        """`archived`: by a sweep of ours. `too_late`: a record created between these was not there to be seen.
        `spool_limit`: bytes of records that may wait in a file."""
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
        self.restricted: set[Kind] = set()
        """Of the images among them that are not public."""
        self._entries: dict[str, bytes] = {}
        """Image id -> the record that counts, as one string: fingerprint, hash of its bytes, place in the file."""
        self._contested: dict[str, dict[bytes, bytes]] = {}
        """Of images with several records all of these, by the hash of their bytes, in the order of reading."""
        self._rejected: dict[bytes, RejectedRecord] = {}
        self._hashes: dict[Path, bytes] = {}
        """Of what each file says."""
        self._spilled = SpillFile(spool_limit)

    def close(self) -> None:
        self._spilled.close()

    @property
    def community_owners(self) -> set[str]:
        """Of the community images among them: another project's are listed only if the cloud is asked for these."""
        return {owner for visibility, owner in self.restricted if visibility == "community" and owner}

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._entries)

    # ---- reading -----------------------------------------------------------------------------------

    def read(self) -> None:
        """Reads all files. Raises BrokenDump for the first one that cannot be read whole, or finds no room."""
        for dump in self.dumps:
            self._hashes[dump.path] = fingerprint_of(self._read(dump))
            self.pages += dump.pages
        self._resolve_duplicates()

    def _read(self, dump: Dump) -> Iterator[bytes]:
        """A hash of each record, as it is added."""
        for records in dump.read():
            for raw in records:
                try:
                    added = self._add(raw if self._archived else unnested(bytes(raw)), dump)
                except (UnreadableOutput, SpillError) as error:
                    raise BrokenDump(dump.path, None, str(error)) from None
                yield added
            self._step(dump, len(records))

    def _add(self, raw: bytes, dump: Dump) -> bytes:
        self.records += 1
        raw_hash = fingerprint(raw)
        try:
            image_id, content_hash, created, hidden, kind, whole = self.mappings.identify(raw, raw_hash)
        except Rejected as rejection:
            self._reject(raw, rejection)
            return raw_hash
        self.has_hidden |= hidden
        if kind[0] != "public":
            self.restricted.add(kind)
        if self._too_late and created and self._too_late[0] < created <= self._too_late[1]:
            raise self._misdated(dump, image_id, created)
        entry = self._entries.get(image_id)
        if entry is None:
            if len(self._entries) >= MOST_IMAGES:
                raise BrokenDump(dump.path, None, f"more than {MOST_IMAGES:,} images at one moment")
            self._entries[image_id] = self._spill(raw, raw_hash, content_hash)
            return whole
        known_hash = entry[_HASH : 2 * _HASH]
        same = known_hash == raw_hash
        if not same or image_id in self._contested:
            others = self._contested.setdefault(image_id, {known_hash: entry})
            others[raw_hash] = others.pop(raw_hash, b"") or self._spill(raw, raw_hash, content_hash)
        return whole

    def _spill(self, raw: bytes, raw_hash: bytes, content_hash: bytes) -> bytes:
        return content_hash + raw_hash + self._spilled.put(bytes(raw)).to_bytes(_PLACE, "big")

    def _raw(self, entry: bytes) -> bytes:
        return self._spilled.read(int.from_bytes(entry[2 * _HASH :], "big"))

    def _image(self, entry: bytes) -> MappedImage:
        return self.mappings.image(self._raw(entry), entry[_HASH : 2 * _HASH])

    def _misdated(self, dump: Dump, image_id: str, created: datetime) -> BrokenDump:
        return BrokenDump(
            dump.path,
            None,
            f"image {image_id} was created at {created.isoformat()}, after the moment that it is said to have been"
            " seen (a date alone is its midnight); give the right one with --observed-at",
        )

    def _reject(self, raw: bytes, rejection: Rejected) -> None:
        record = RejectedRecord(rejection.reason, rejected_text(raw, self.mappings.rules), rejection.image_id)
        self.nameless = self.nameless or rejection.image_id is None
        self._rejected[fingerprint(record.record.encode("utf-8", "surrogatepass"))] = record

    def _resolve_duplicates(self) -> None:
        """Decides which of several differing records of an image counts: the last one of those that rank highest."""
        for image_id, entries in self._contested.items():
            best = None
            for entry in entries.values():
                image = self._image(entry)
                rank = (image.updated_at, "" if self._archived else image.document)
                if best is None or rank >= best:
                    best, self._entries[image_id] = rank, entry
        self._contested.clear()

    # ---- what was read -----------------------------------------------------------------------------

    def digest(self) -> str:
        """Stands for the canonical content, in whatever order and form it came."""
        digest = hashlib.sha256()
        for _, entry in sorted(self._entries.items()):
            digest.update(entry[:_HASH])
        # the id is a part of the canonical form, so that the fingerprints say all
        for record_hash in sorted(self._rejected):
            digest.update(b"rejected" + record_hash)
        return digest.hexdigest()

    @property
    def file_hashes(self) -> dict[Path, bytes]:
        """A hash of what each file says, whatever the settings; not of whole archives, which their run's id tells."""
        return {dump.path: self._hashes[dump.path] for dump in self.dumps if dump.trailer is None}

    @property
    def ids(self) -> Set[str]:
        """The ids of the images."""
        return self._entries.keys()

    @property
    def rejected(self) -> list[RejectedRecord]:
        return list(self._rejected.values())

    def inconclusive(self) -> set[str]:
        """Images of which nothing but a rejected record came."""
        ids = {record.image_id for record in self._rejected.values() if record.image_id is not None}
        return ids - self.ids

    def among(self, contents: Mapping[str, bytes]) -> set[str]:
        """The images whose fingerprint is the one given for their id."""
        return {i for i, entry in self._entries.items() if contents.get(i) == entry[:_HASH]}

    def leave_out(self, ids: Iterable[str]) -> None:
        for image_id in ids:
            self._entries.pop(image_id, None)

    def candidates(self, known: Set[str], found: Set[str]) -> Iterator[Candidate]:
        """The images mapped, those that are `known` left out; `found`: brought by look-ups, not listed.

        In the order of their ids, so that each index grows at its end.
        """
        for image_id in sorted(self._entries.keys() - known):
            entry = self._entries[image_id]
            listed = image_id not in found
            yield Candidate(self._image(entry), entry[_HASH : 2 * _HASH] if listed else None, listed)


def _length(raw: bytes) -> int:
    return len(raw) if isinstance(raw, bytes) else memoryview(raw).nbytes
