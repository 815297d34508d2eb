"""From timelines to rows: what a merge writes goes by COPY into the stage, then by few statements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from types import TracebackType

from msgspec import Struct
from psycopg.adapt import Dumper

from catalog.fields import FIELDS, REVISION_FIELD_COLUMNS
from catalog.model import MappedImage
from catalog.store.db.connection import Connection, settle
from catalog.store.db.statements import load
from catalog.store.history.rule import Revision
from catalog.store.state import os_rules
from catalog.systems import System, Systems

LINKS = tuple(field.column for field in FIELDS if not field.opens_revision)
_FIELDS_OF = itemgetter(*(n for n, field in enumerate(FIELDS) if field.opens_revision))
_LINKS_OF = itemgetter(*(n for n, field in enumerate(FIELDS) if not field.opens_revision))


def prefixed(prefix: str, names: Iterable[str]) -> str:
    """Column names of one table in a statement."""
    return ", ".join(f"{prefix}.{name}" for name in names)


OWNER_HASH = """CASE WHEN coalesce(s.image_kind NOT IN ('snapshot', 'backup'), true) THEN
    hashtextextended(coalesce(s.owner, ''), 0) END"""
"""Of a row of the stage; see image_state.owner_hash."""
SQL = load(
    "stage.sql",
    owner_hash=OWNER_HASH,
    fields=", ".join(REVISION_FIELD_COLUMNS),
    r_fields=prefixed("r", REVISION_FIELD_COLUMNS),
    s_fields=prefixed("s", REVISION_FIELD_COLUMNS),
    links=", ".join(LINKS),
    kept_links=", ".join(f"CASE WHEN s.copy_of IS NULL THEN s.{n} ELSE i.{n} END" for n in LINKS),
)

_PRESENT = ("insert_images", "insert_tags", "insert_capabilities", "insert_properties", "upsert_state")
_FIRST = {name: re.split(r"\n    AND \(SELECT true|\nON CONFLICT", SQL[name])[0] for name in _PRESENT}
"""The same for a source without images: nothing can be in the way, and not looking for it is faster."""

_LINE = (
    "run_id", "batch", "source_id", "image_id", "present", "starts_period", "raw_hash", "live", "revision_run_id",
    "observed_at", "valid_from", "recorded_at", "change", "content_hash", "reported", "cloud_time",
    "cloud_deleted_at", "period_from", "deleted_at", "deletion_reason", *System._fields,
)  # fmt: skip
_OF_KNOWN = (
    "copy_of", "unlisted_since", "first_seen_at", "period_to", "valid_to", "changed", "absence_reason",
)  # fmt: skip
"""NULL in the first revisions of new images, and not even sent in a first load."""
_CONTENT = (
    *REVISION_FIELD_COLUMNS, *LINKS, "tags", "capabilities", "properties",
    "capability_names", "capability_supported", "capability_raw", "capability_models",
)  # fmt: skip
STAGE_COLUMNS = (*_LINE, *_OF_KNOWN, *_CONTENT, "document")
_COPY = f"COPY stage ({', '.join(STAGE_COLUMNS)}) FROM STDIN"
_COPY_FIRST = f"COPY stage ({', '.join((*_LINE, *_CONTENT))}) FROM STDIN"
_COPY_DOCUMENTS = "COPY revision_documents (source_id, image_id, observed_at, document) FROM STDIN"
_NOTHING = (None,) * (len(_CONTENT) + 1)
_NO_SYSTEM = (None,) * len(System._fields)


def array_literal(values: Sequence[str | None]) -> str:
    """A PostgreSQL array as text: one string is cheaper to send than a list of values."""
    if not values:
        return "{}"
    if None not in values:
        text = '","'.join(values)  # type: ignore[arg-type]
        if "\\" not in text and text.count('"') == 2 * (len(values) - 1):
            return f'{{"{text}"}}'
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def content_columns(image: MappedImage) -> tuple[object, ...]:
    """The typed content of a record, in the order of the stage's last columns."""
    flags = image.capabilities
    properties = ["{"]
    for name, value in image.properties:
        properties += (_json_member(name), value)
    if image.properties:
        properties[1] = properties[1][1:]  # the first has no comma before it
    return (
        *_FIELDS_OF(image.values),
        *_LINKS_OF(image.values),
        array_literal(image.tags),
        array_literal([flag.capability for flag in flags if flag.supported]),
        "".join([*properties, "}"]),  # at one go: a value may have megabytes
        array_literal([flag.capability for flag in flags]),
        "{" + ",".join(["t" if flag.supported else "f" for flag in flags]) + "}",
        array_literal([flag.raw_value for flag in flags]),
        array_literal([None if flag.models is None else array_literal(flag.models) for flag in flags]),
        image.document,
    )


@lru_cache(maxsize=4096)
def _json_member(name: str) -> str:
    return f",{json.dumps(name)}:"


@lru_cache(maxsize=8192)
def _moment(moment: datetime | None) -> str | None:
    """A moment for COPY, formatted once: a row has eight, and shares most of them with others."""
    return moment.isoformat(" ") if moment else None


class _MomentDumper(Dumper):
    def dump(self, obj: datetime) -> bytes:
        return _moment(obj).encode()  # type: ignore[union-attr]


Head = tuple[str, int, str, str | None]
"""Shared by the rows of a batch: run, number of the batch, source, `recorded_at` as text."""


class StageRow(Struct):
    """One revision to be written. `image`: its content; None = taken over from `copy_of`."""

    image_id: str
    revision: Revision
    valid_to: datetime | None = None
    period_to: datetime | None = None
    changed: str | None = None
    image: MappedImage | None = None
    copy_of: datetime | None = None
    present: bool = False
    raw_hash: bytes | None = None
    unlisted_since: datetime | None = None
    first_seen_at: datetime | None = None

    def row(self, head: Head, systems: Systems, *, first: bool) -> tuple[object, ...]:
        """Its row in the stage; `first`: without document and the columns that first revisions leave empty."""
        revision, content, image = self.revision, self.revision.content, self.image
        typed = content_columns(image) if image is not None else _NOTHING
        system = os_rules.system_of(systems, image) if image is not None and self.present else _NO_SYSTEM
        run_id, batch, source_id, recorded_at = head
        of_known = () if first else (
            _moment(self.copy_of), _moment(self.unlisted_since), _moment(self.first_seen_at),
            _moment(self.period_to), _moment(self.valid_to), self.changed, content.absence_reason,
        )  # fmt: skip
        return (
            run_id, batch, source_id, self.image_id, self.present, revision.starts_period, self.raw_hash,
            not content.gone, revision.run_id, _moment(revision.observed_at), _moment(revision.valid_from),
            recorded_at, revision.change, content.hash, content.reported, _moment(content.cloud_time),
            _moment(content.cloud_deleted_at), _moment(revision.period_from), _moment(revision.deleted_at),
            revision.deletion_reason,
            *system,
            *of_known,
            *(typed[:-1] if first else typed),
        )  # fmt: skip


@dataclass(slots=True)
class Batch:
    """One step of a merge: revisions in, revisions out, ends moved."""

    staged: list[StageRow] = field(default_factory=list)
    removed: list[tuple[str, datetime]] = field(default_factory=list)
    removed_periods: list[tuple[str, datetime]] = field(default_factory=list)
    closed: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    closed_periods: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    first_seen: list[tuple[str, datetime]] = field(default_factory=list)
    refreshed: list[tuple[str, bytes | None, bytes]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    new_images_only: bool = False


class Stage:
    """Writes batches of one run into the tables of one source, in the caller's transaction.

    Use it as a context manager, so that the connection is free again at its end.
    """

    def __init__(self, connection: Connection, source_id: str, run_id: str, recorded_at: datetime) -> None:
        self.connection = connection
        self.source_id = source_id
        self.run_id = run_id
        self.recorded_at = recorded_at
        self._batches = 0
        self._ids: list[str] = []
        self._systems: Systems | None = None
        self._pipelines = ExitStack()

    def __enter__(self) -> Stage:
        """Plans by index: the stage has no statistics, and a scan of every image would cost more than it."""
        settings = ("enable_hashjoin = off", "enable_mergejoin = off", "jit = off")
        settle(self.connection, *(f"SET LOCAL {setting}" for setting in settings))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipelines.__exit__(kind, error, trace)
        if error is None and self._batches:
            SQL.run(self.connection, "clear_stage", source=self.source_id, run=self.run_id)

    @property
    def warnings(self) -> list[str]:
        """Rules on systems that can't be read."""
        return self._systems.warnings if self._systems else []

    def flush(self) -> None:
        """Waits until all that was sent is done; raises what the database refuses of it."""
        self._pipelines.close()

    def write(self, batch: Batch) -> None:
        """Brings the tables to the batch. The order of statements matters: copies are taken first.

        Returns once all is sent, not once it is done: the database works while the caller makes the next
        batch. What it refuses is raised by `flush`, by whatever is read next, or at the end of the block.
        """
        self.flush()
        self._batches += 1
        if batch.staged:
            self.copy(batch.staged, first=batch.new_images_only)
        self._pipelines.enter_context(self.connection.pipeline())
        self._run("delete_revisions", batch.removed, "ids", "ats")
        self._run("delete_documents", batch.removed, "ids", "ats")
        self._run("delete_periods", batch.removed_periods, "ids", "ats")
        self._run("close_revisions", batch.closed, "ids", "ats", "tos")
        self._run("close_periods", batch.closed_periods, "ids", "ats", "tos")
        if batch.staged:
            self._execute("insert_revisions")
            if not batch.new_images_only:
                self._execute("insert_documents")
            self._execute("insert_periods")
            if any(row.present for row in batch.staged):
                self._write_present(new_only=batch.new_images_only)
        self._run("move_first_seen", batch.first_seen, "ids", "ats")
        self.refresh_hashes(batch.refreshed)
        for image_id in batch.erased:
            self._erase(image_id)

    def refresh_hashes(self, rows: Sequence[tuple[str, bytes | None, bytes]]) -> None:
        """Fingerprints of images whose content is what it was, though hashed in another way."""
        self._run("refresh_hashes", rows, "ids", "raws", "contents")

    def _erase(self, image_id: str) -> None:
        """Takes out all that is said of an image of which no record is left; what look-ups said of it stays, and that
        somebody keeps it."""
        SQL.run(self.connection, "take_back_approvals", source=self.source_id, image=image_id)
        for table in ("images", "image_state", "image_tags", "image_capabilities", "image_properties",
                      "held_deletions"):  # fmt: skip
            self.connection.execute(
                f"DELETE FROM {table} WHERE source_id = %s AND image_id = %s", (self.source_id, image_id)
            )

    def copy(self, staged: Sequence[StageRow], *, first: bool = False) -> None:
        """Sends rows to the stage, as the batch last begun.

        `first`: all are first revisions of new images; their documents, half of what there is to send, go straight
        to where they belong.
        """
        self._batches = self._batches or 1
        self._ids = [row.image_id for row in staged]
        systems = self._systems = self._systems or os_rules.load(self.connection)
        head = (self.run_id, self._batches, self.source_id, _moment(self.recorded_at))
        cursor = self.connection.cursor()
        cursor.adapters.register_dumper(datetime, _MomentDumper)
        with cursor.copy(_COPY_FIRST if first else _COPY) as copy:
            for row in staged:
                copy.write_row(row.row(head, systems, first=first))
        if first:
            with cursor.copy(_COPY_DOCUMENTS) as copy:
                for row in staged:
                    assert row.image is not None
                    moment = _moment(row.revision.observed_at)
                    copy.write_row((self.source_id, row.image_id, moment, row.image.document))
        if any(row.copy_of is not None for row in staged):
            self._execute("fill_copies")

    def _write_present(self, *, new_only: bool) -> None:
        if not new_only:
            for name in ("update_images", "delete_tags", "delete_capabilities", "delete_properties"):
                self._execute(name)
        for name in _PRESENT:
            self._execute(name, first=new_only)

    @property
    def values(self) -> dict[str, object]:
        """What statements on the rows that were last copied take."""
        return {"source": self.source_id, "run": self.run_id, "batch": self._batches, "ids": self._ids}

    def _execute(self, name: str, *, first: bool = False) -> None:
        text = _FIRST[name] if first else SQL.text(self.connection, name)
        self.connection.execute(text, self.values)

    def _run(self, name: str, rows: Sequence[tuple[object, ...]], *parameters: str) -> None:
        """A statement with `{named(...)}` rows, if there are any."""
        if rows:
            lists = map(list, zip(*rows, strict=True))
            SQL.run(self.connection, name, source=self.source_id, **dict(zip(parameters, lists, strict=True)))
