"""The domain's values, frozen; what fetch, mapping, store and run hand to one another.

Those that a first load makes a hundred thousand of are msgspec's structs: made five times as fast as dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, get_args

from msgspec import MsgspecError, Struct

from catalog.errors import FetchError
from catalog.fields import INDEX

SourceKind = Literal["glance", "ims"]
Verdict = Literal["complete", "truncated", "failed"]
Outcome = Literal["complete", "partial", "failed", "busy"]
Scope = Literal["complete", "changes"]
"""The whole listing, or only what is new (semantics 4.8)."""
AbsenceReason = Literal["not_found", "no_access", "not_listed"]
NOT_LISTED: Literal["not_listed"] = "not_listed"
"""Of an absence that only a listing, or a person, tells of; the others are answers to look-ups."""
ABSENCE_REASONS: tuple[AbsenceReason, ...] = get_args(AbsenceReason)
DELETION_REASONS = ("reported", *ABSENCE_REASONS)
"""How a deletion is known (semantics 3.6): by the record itself, or as its absence is."""
HeldReason = Literal["limit", "login_changed", "adopted"]
InconclusiveKind = Literal[
    "rejected",
    "unanswered",
    "held",
    "held_for_login",
    "kept",
    "unlisted",
    "hidden",
    "unreached",
    "unproved",
]
"""Why a complete observation says nothing about an image: evidence of neither presence nor lack."""
UNREADABLE = (MsgspecError, UnicodeDecodeError, RecursionError)
"""Errors of msgspec for bytes that are not the JSON it was asked for, not UTF-8, or nested too deeply."""

NO_LOGIN = "auth none"
"""What is reached without a login: the same for all who ask."""
KEY = "key "
"""Begins, among what a login reaches, the hash of a token or access key: it tells no more than that it is another."""
PROJECT = "project "
"""Begins there the id of the login's own project, also where only the configuration knows it."""

EVENT_TYPES = (
    "catalog.image.created", "catalog.image.updated", "catalog.image.deleted", "catalog.image.restored",
    "catalog.image.unlisted", "catalog.deletions.held", "catalog.source.failing", "catalog.source.recovered",
    "catalog.source.loaded",
)  # fmt: skip
"""Types of events (docs/events.md)."""

DEFAULT_PASSES: dict[SourceKind, tuple[str, ...]] = {
    "glance": ("listed", "hidden"),
    "ims": ("listed", "pending"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: each record as the bytes that the service sent (any buffer)."""

    records: Sequence[bytes]


class Listing(Protocol):
    """One pass over a service. Iterate it to its end; it never raises FetchError but ends with a verdict."""

    name: str
    verdict: Verdict
    pages: int
    records: int
    last_marker: str | None
    error: FetchError | None
    refused: bool
    """True: the service refused a parameter, so the pass went on without it and infers no absence."""
    refusal: FetchError | None
    """The service refused what makes it this pass, which therefore is complete without a record."""

    def __iter__(self) -> Iterator[Page]: ...


class PassResult(Struct, frozen=True):
    """How a pass ended: one row of `run_passes`, and what an archive says of it."""

    name: str
    verdict: Verdict
    pages: int
    records: int
    last_marker: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, listing: Listing) -> PassResult:
        """The result of a listing that was read."""
        error = str(listing.error) if listing.error else None
        return cls(listing.name, listing.verdict, listing.pages, listing.records, listing.last_marker, error)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to a look-up by id."""

    answer: Literal["found", "not_found", "no_access", "unanswered"]
    record: bytes | None = None
    error: FetchError | None = None


class ImageService(Protocol):
    """A cloud as a sweep needs it. Counters are cumulative over the service's life."""

    region: str | None
    project_id: str | None
    endpoint: str

    def logins(self, *, again: bool = False) -> frozenset[frozenset[str]]:
        """The rights of each login so far, as far as they are known: `project 1`, `role admin`.

        `again`: after a new login, where that can tell. Raises FetchError.
        """
        ...

    @property
    def requests(self) -> int: ...
    @property
    def retries(self) -> int: ...
    def listing(self, pass_name: str, since: datetime | None = None) -> Listing:
        """`since`: only images changed from that second on, by the cloud's clock."""
        ...

    def lookup(self, image_id: str, *, listed: bool = False) -> Lookup:
        """`listed`: of an image known to be listed; asks only where an absent one would be said to be absent."""
        ...

    def project_names(self) -> list[tuple[str, str, str | None]]:
        """(project_id, name, domain_name) of the projects whose names the credentials may read."""
        ...

    def close(self) -> None: ...


class CapabilityValue(Struct, frozen=True):
    capability: str
    supported: bool
    raw_value: str
    models: tuple[str, ...] | None = None


class MappedImage(Struct, frozen=True):
    """A record after mapping: what the tables hold of it.

    `values` stand in the order of `catalog.fields.COLUMNS`. `content_hash` is the fingerprint of the
    canonical form without ignored keys; `document` is the canonical form as JSON, keys sorted.
    `links` are the members of the three links, as JSON text without braces.
    Tags, capabilities and properties are sorted, each once.
    `cloud_time` dates the content by the cloud's own clock (`updated_at`; of a reported deletion
    `deleted_at`, else `updated_at`). `reported_deleted`: status `deleted` or a `deleted_at` was sent.
    """

    image_id: str
    values: tuple[object, ...]
    deleted_at: datetime | None
    reported_deleted: bool
    cloud_time: datetime | None
    tags: tuple[str, ...]
    capabilities: tuple[CapabilityValue, ...]
    properties: tuple[tuple[str, str], ...]
    """(name, JSON text of the value)"""
    document: str
    links: str
    content_hash: bytes
    warnings: tuple[str, ...] = ()

    @property
    def updated_at(self) -> datetime:
        """The cloud's `updated_at`; the beginning of time where it says none."""
        updated = self.values[INDEX["updated_at"]]
        return updated if isinstance(updated, datetime) else datetime.min.replace(tzinfo=UTC)

    @property
    def precedence(self) -> tuple[datetime, str]:
        """Of one image's records of one moment the greatest counts: the later `updated_at`, else the greater
        canonical form."""
        return self.updated_at, self.document

    @property
    def archived(self) -> str:
        """The document with the three links, ready to be mapped again to an equal image."""
        return f"{{{self.links},{self.document[1:]}" if self.links else self.document


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot be stored as an image; kept as text with its reason."""

    reason: str
    record: str
    image_id: str | None = None


class PlannedChange(NamedTuple):
    """An image that a plan would insert, update, delete or restore."""

    change: str
    image_id: str
    name: str | None


MOST_NAMED = 10_000
"""Images of a plan that are named; the rest is counted."""


@dataclass(slots=True)
class RunResult:
    """One row of `runs`, as `catalog sync` prints it."""

    source: str
    run_id: str
    kind: Literal["sync", "backfill"] = "sync"
    started_at: datetime | None = None
    observed_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: Outcome = "failed"
    pages: int = 0
    requests: int = 0
    retries: int = 0
    listed: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    restored: int = 0
    rejected: int = 0
    unlisted: int = 0
    held: int = 0
    looked_up: int = 0
    revised: int = 0
    """Revisions before the present that were added, taken out or dated anew."""
    error_kind: str | None = None
    error: str | None = None
    note: str | None = None
    """Absences that this run could not prove though it is complete, in one line."""
    scope: Scope = "complete"
    file: str | None = None
    """Of a backfill: the file that it read; of several the first, and how many more."""
    proves_absence: bool = True
    """False, of a backfill: its observation is incomplete, though all was read."""
    supported: bool = True
    """False: the service can't be asked for changes alone."""
    stopped: bool = False
    """We ended it before its end, so that it tells nothing of how its source is."""
    warnings: list[str] = field(default_factory=list)
    planned: list[PlannedChange] = field(default_factory=list)
    """Of a plan: the images that would change, as many as are named at most."""

    def take(self, counts: MergeCounts) -> None:
        """Takes over what a merge changed."""
        for name in MergeCounts.__slots__:
            setattr(self, name, getattr(counts, name))


class Candidate(Struct, frozen=True):
    """A record of an observation that may differ from what is stored.

    `raw_hash`: hash of its bytes as listed, None where they came by another way. `listed`: false for an
    image that a look-up found, though no listing holds it.
    """

    image: MappedImage
    raw_hash: bytes | None = None
    listed: bool = True


class ContentRules(Protocol):
    """Tells the writer of contents, which does not know the mapping."""

    def difference(self, old: str, new: str) -> str | None:
        """`changed` of a revision as JSON: {upstream key: [old, new]} of two documents, ignored keys left
        out; None where nothing differs."""
        ...

    def map_document(self, document: str) -> MappedImage:
        """A stored document by today's mapping."""
        ...


@dataclass(slots=True)
class Observation:
    """One source as it was seen at one moment, ready to be merged.

    `candidates`: records that may differ from what is stored, each image once; may be a generator.
    `unchanged`: ids listed with the very bytes that are stored. `absent`: look-ups that said not found or
    forbidden, and what else proves lack. `inconclusive`: images about which nothing is said, and why.
    `missing`: ids whose last evidence is a record and which are neither held nor inconclusive, where the caller
    knows them; None = to be found out. `covers_hidden`: whether its absences count for images that some record calls
    hidden; else these are `inconclusive`. `login`: what all its logins reach, None where that is not known.
    """

    run_id: str
    observed_at: datetime
    complete: bool
    candidates: Iterable[Candidate]
    unchanged: Set[str] = frozenset()
    absent: Mapping[str, AbsenceReason] = field(default_factory=dict)
    inconclusive: Mapping[str, InconclusiveKind] = field(default_factory=dict)
    missing: Set[str] | None = None
    covers_hidden: bool = True
    login: frozenset[str] | None = None


@dataclass(slots=True)
class MergeCounts:
    """Counts the changes that a merge made to the present.

    `revised`: revisions before the present that were added, taken out or dated again.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    restored: int = 0
    unchanged: int = 0
    revised: int = 0
    warnings: list[str] = field(default_factory=list)
