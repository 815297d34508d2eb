"""The tables, as SQLAlchemy knows them. Typed columns of images come from `catalog.fields`.

Natural keys led by `source_id`; no sequence, no trigger, no foreign key between a source's rows and
another's, so that a source is one shard. Comments become the SQL COMMENTs of columns.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from catalog.fields import FIELDS, Field

VERSION_TABLE = "catalog_schema_version"

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"}
)

TYPES: dict[str, Any] = {
    "text": Text,
    "integer": Integer,
    "bigint": BigInteger,
    "boolean": Boolean,
    "timestamp": lambda: TIMESTAMP(timezone=True),
}


def moment(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, TIMESTAMP(timezone=True), comment=f"{comment} Unit: UTC.", **options)


def text_column(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, Text, comment=comment, **options)


def key_column(name: str, comment: str, **options: Any) -> Column[Any]:
    """A text that indexes sort: by its bytes, so that a new C library of the machine breaks no index."""
    return Column(name, Text(collation="C"), comment=comment, **options)


def count(name: str, comment: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"), comment=comment)


def field_column(field: Field) -> Column[Any]:
    return Column(field.column, TYPES[field.conversion](), comment=field.comment)


def source_id() -> Column[Any]:
    return key_column("source_id", "Source, as in sources.source_id.", nullable=False)


def image_id() -> Column[Any]:
    return key_column("image_id", "Id of the image in its cloud. Upstream: id.", nullable=False)


def run_id(comment: str = "Run that wrote it, as in runs.run_id.", **options: Any) -> Column[Any]:
    return Column("run_id", UUID(as_uuid=False), comment=comment, **options)


def facets() -> list[Column[Any]]:
    """Tags, supported capabilities and properties in one row, for queries that read many images."""
    return [
        Column(
            "tags", ARRAY(Text), comment="Tags as delivered, sorted; the rows of image_tags in one value."
        ),
        Column(
            "capabilities", ARRAY(Text), comment="Supported capabilities, sorted; from image_capabilities."
        ),
        Column(
            "properties", JSONB, comment="Keys without a column of their own; the rows of image_properties."
        ),
    ]


def deletion() -> list[Column[Any]]:
    return [
        moment(
            "deleted_at", "When the image was deleted; NULL = live. Upstream: deleted_at, where reported."
        ),
        text_column("deletion_reason", "How deletion is known: reported, not_found, no_access, not_listed."),
    ]


REVISION_FIELDS = tuple(field for field in FIELDS if field.opens_revision)


def revision_columns() -> list[Column[Any]]:
    return [
        moment("observed_at", "Observation in which the revision begins.", nullable=False),
        moment(
            "valid_from", "Start of validity: the cloud's own time where it can be trusted.", nullable=False
        ),
        moment("valid_to", "Start of the next revision; NULL = the last."),
        moment("recorded_at", "When the row was written.", nullable=False),
        run_id(),
        text_column("change", "created (first known), updated, deleted, restored.", nullable=False),
        Column(
            "changed",
            JSONB,
            comment="What differs from the revision before: {key: [old, new]}, upstream keys.",
        ),
        Column("content_hash", LargeBinary, comment="Hash of the canonical form; NULL = absence."),
        Column("reported", Boolean, nullable=False, comment="True: the record itself says deleted."),
        text_column(
            "absence_reason", "Why the absence is known: not_found, no_access, not_listed; NULL = a record."
        ),
        moment("cloud_time", "The cloud's own time of the content."),
        moment("cloud_deleted_at", "deleted_at as the record delivered it."),
        moment("period_from", "Start of the status period this revision belongs to.", nullable=False),
    ]


sources = Table(
    "sources",
    metadata,
    key_column("source_id", "Opaque key of the source; never changes.", primary_key=True),
    key_column("name", "Name of the source in the configuration; unique.", nullable=False, unique=True),
    text_column("kind", "Service behind it: glance or ims.", nullable=False),
    text_column("cloud", "Entry of clouds.yaml, where one is named."),
    text_column("region", "Region, as recorded at the first sweep."),
    text_column("project_id", "Project whose view this is, as recorded at the first sweep."),
    text_column("endpoint", "Address of the image service, without credentials."),
    moment("last_complete_at", "observed_at of the last complete sweep."),
    moment("observed_since", "observed_at of the first observation."),
    moment("history_from", "History before this moment was pruned; NULL = never."),
    moment("retired_at", "When the source was retired; its images stay."),
    moment("created_at", "When the source was first recorded.", nullable=False),
    Column("expected_seconds", Double, comment="Expected time between sweeps. Unit: seconds."),
    moment("next_due_at", "When the daemon sweeps it next."),
    moment(
        "failing_since",
        "Start of the first of the failed or partial runs in a row; NULL = the last was complete.",
    ),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Runs in a row that were not complete.",
    ),
    text_column("error_kind", "Kind of the last failure; NULL = the last run was complete."),
    moment("projects_asked_at", "When names of projects were last asked for."),
    Column(
        "login",
        ARRAY(Text),
        comment="What the logins reached that stored images were seen with (project, roles and the like): later ones"
        " are compared with it. NULL = not known. Internal.",
    ),
    text_column("continues", "source_id in the archives that the source was made of. Internal."),
    comment="Where images come from: one cloud, region and project each. Rows are never deleted.",
)

images = Table(
    "images",
    metadata,
    source_id(),
    image_id(),
    *(field_column(field) for field in FIELDS),
    *deletion(),
    moment("unlisted_since", "Live, but not listed by complete sweeps since then."),
    moment("first_seen_at", "observed_at of the image's first evidence.", nullable=False),
    moment("last_changed_at", "observed_at of the image's open revision.", nullable=False),
    *facets(),
    PrimaryKeyConstraint("source_id", "image_id"),
    comment="One row per image ever seen; live = deleted_at IS NULL.",
)

image_state = Table(
    "image_state",
    metadata,
    source_id(),
    image_id(),
    Column(
        "raw_hash",
        LargeBinary,
        comment="Hash of the record's bytes as sent; a cache, NULL = compare in full.",
    ),
    Column(
        "content_hash",
        LargeBinary,
        comment="Hash of the canonical form; NULL = the last evidence is of absence.",
    ),
    Column("live", Boolean, nullable=False, comment="False: the last evidence says deleted."),
    PrimaryKeyConstraint("source_id", "image_id"),
    comment="Fingerprints, narrow, so that a sweep reads little. Internal.",
)

image_tags = Table(
    "image_tags",
    metadata,
    source_id(),
    image_id(),
    key_column("tag", "Exactly as delivered. Upstream: tags.", nullable=False),
    PrimaryKeyConstraint("source_id", "image_id", "tag"),
    Index("ix_image_tags_tag", "tag", "source_id"),
    comment="Tags of images, each once.",
)

image_capabilities = Table(
    "image_capabilities",
    metadata,
    source_id(),
    image_id(),
    key_column("capability", "Upstream key without __support_.", nullable=False),
    Column("supported", Boolean, nullable=False, comment="Whether the image supports it, inversion applied."),
    text_column("raw_value", "Value as delivered."),
    Column("models", ARRAY(Text), comment="Models named, where the value is a list of models."),
    PrimaryKeyConstraint("source_id", "image_id", "capability"),
    Index("ix_image_capabilities_capability", "capability", "supported"),
    comment="Capability flags of images; no row = not delivered.",
)

capabilities = Table(
    "capabilities",
    metadata,
    key_column("capability", "Upstream key without __support_.", primary_key=True),
    text_column("upstream_key", "Key as the cloud status periods it.", nullable=False),
    text_column("value_kind", "flag or models.", nullable=False),
    Column("inverted", Boolean, nullable=False, comment="True: the upstream true means not supported."),
    text_column(
        "family",
        "hypervisor, gpu, fpga, hana, network, size, cpu, agent, cloud_init or other.",
        nullable=False,
    ),
    text_column("description", "What it means."),
    comment="Capabilities known; new ones join when first seen.",
)

image_properties = Table(
    "image_properties",
    metadata,
    source_id(),
    image_id(),
    key_column("name", "Upstream key.", nullable=False),
    Column("value", JSONB, nullable=False, comment="JSON value as delivered."),
    PrimaryKeyConstraint("source_id", "image_id", "name"),
    comment="Every key that has no column, tag or capability of its own.",
)

runs = Table(
    "runs",
    metadata,
    source_id(),
    run_id("Identity of the run.", nullable=False),
    text_column("kind", "sync or backfill.", nullable=False),
    moment("started_at", "Start of the run.", nullable=False),
    moment("observed_at", "Moment the listing speaks of."),
    moment("finished_at", "End of the run; NULL = under way."),
    text_column("outcome", "complete, partial or failed; NULL = under way."),
    count("pages", "Pages read."),
    count("requests", "Requests sent."),
    count("retries", "Requests repeated."),
    count("listed", "Images listed, each once."),
    count("inserted", "Images first seen."),
    count("updated", "Images changed."),
    count("unchanged", "Images listed as they were."),
    count("deleted", "Images newly deleted."),
    count("restored", "Images live again."),
    count("rejected", "Records that could not be stored as images."),
    count("unlisted", "Images live but not listed."),
    count("held", "Deletions held back."),
    count("looked_up", "Look-ups by id."),
    count(
        "revised", "Revisions before the present that were added, taken out or dated anew by what came late."
    ),
    text_column(
        "error_kind", "login, network, throttled, upstream, bad_listing, deadline, database, config."
    ),
    text_column("error", "One line."),
    text_column("note", "Why the run could not prove what is missing, one line."),
    PrimaryKeyConstraint("source_id", "run_id"),
    Index("ix_runs_started_at", "source_id", "started_at"),
    comment="The ledger of runs.",
)

run_passes = Table(
    "run_passes",
    metadata,
    source_id(),
    run_id(nullable=False),
    key_column("pass", "listed, hidden, pending or market.", nullable=False),
    text_column("verdict", "complete, truncated or failed.", nullable=False),
    count("pages", "Pages read."),
    count("records", "Records read."),
    text_column("last_marker", "Last marker sent."),
    text_column("error", "One line."),
    PrimaryKeyConstraint("source_id", "run_id", "pass"),
    comment="The passes of a run, each with its verdict.",
)

rejected_records = Table(
    "rejected_records",
    metadata,
    source_id(),
    Column("record_hash", LargeBinary, nullable=False, comment="Hash of the record's bytes."),
    key_column("image_id", "Id of the image, where known."),
    text_column("reason", "Why it could not be stored.", nullable=False),
    text_column("record", "The record as text; NUL shown as U+FFFD.", nullable=False),
    Column("first_run_id", UUID(as_uuid=False), nullable=False, comment="First run that met it."),
    Column("last_run_id", UUID(as_uuid=False), nullable=False, comment="Last run that met it."),
    Column("count", BigInteger, nullable=False, comment="Runs that met it."),
    PrimaryKeyConstraint("source_id", "record_hash"),
    comment="Records that could not be stored as images, kept whole.",
)

rejections = Table(
    "rejections",
    metadata,
    source_id(),
    Column("record_hash", LargeBinary, nullable=False, comment="As in rejected_records.record_hash."),
    run_id("Run that met the record.", nullable=False),
    moment("observed_at", "When the run observed.", nullable=False),
    PrimaryKeyConstraint("source_id", "record_hash", "run_id"),
    comment="Which run met which rejected record: first, last and count follow from it. Internal.",
)

forgotten_runs = Table(
    "forgotten_runs",
    metadata,
    source_id(),
    run_id("Run whose observation somebody took out.", nullable=False),
    moment("observed_at", "When it observed.", nullable=False),
    moment("forgotten_at", "When it was taken out.", nullable=False),
    PrimaryKeyConstraint("source_id", "run_id"),
    comment="Runs of backfill --forget: their files do not come back unasked. Internal.",
)

held_deletions = Table(
    "held_deletions",
    metadata,
    source_id(),
    image_id(),
    run_id("Run that first held it.", nullable=False),
    moment("unlisted_since", "Since when the image is not listed."),
    moment("observed_at", "Observation that first held it.", nullable=False),
    key_column("decision", "open, approved, kept or returned.", nullable=False),
    moment("decided_at", "When decided."),
    text_column("decided_by", "Who decided."),
    text_column(
        "reason",
        "limit, or login_changed: the login reaches less than before.",
        nullable=False,
        server_default=text("'limit'"),
    ),
    PrimaryKeyConstraint("source_id", "image_id", "run_id"),
    Index("ix_held_deletions_decision", "source_id", "decision"),
    comment="Deletions that are held back, and what became of them.",
)

kept_images = Table(
    "kept_images",
    metadata,
    source_id(),
    image_id(),
    moment("seen_at", "Last evidence of the image before its deletion was held.", nullable=False),
    moment(
        "kept_at",
        "When somebody decided: absences observed since then up to here prove nothing.",
        nullable=False,
    ),
    PrimaryKeyConstraint("source_id", "image_id", "kept_at"),
    comment="Decisions to keep an image, for what is loaded after them. Internal.",
)

projects = Table(
    "projects",
    metadata,
    source_id(),
    key_column("project_id", "Id of the project, as in images.owner.", nullable=False),
    text_column("name", "Name of the project."),
    text_column("domain_name", "Name of its domain."),
    moment("seen_at", "When last read.", nullable=False),
    PrimaryKeyConstraint("source_id", "project_id"),
    comment="Names of owners, where the cloud gives them.",
)

image_family_rules = Table(
    "image_family_rules",
    metadata,
    Column(
        "rank",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="Order; the lowest that matches decides.",
    ),
    text_column("pattern", "Regular expression on the name.", nullable=False),
    text_column("family", "Family: a replacement that may use the pattern's groups.", nullable=False),
    Column(
        "builtin",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True: came with the product.",
    ),
    comment="How a name's family is told; your own rules take ranks below 1000.",
)

leases = Table(
    "leases",
    metadata,
    key_column("source_id", "Source, as in sources.source_id.", primary_key=True),
    Column("holder", UUID(as_uuid=False), comment="Run that holds the source; NULL = free."),
    Column("fence", BigInteger, nullable=False, comment="Grows with each holder."),
    moment("expires_at", "End of the lease by the database's clock."),
    comment="Who may write a source. Internal.",
)

status_history = Table(
    "status_history",
    metadata,
    source_id(),
    image_id(),
    moment("valid_from", "Start of the period.", nullable=False),
    text_column(
        "status", "Status during the period; deleted included, unknown where none was sent.", nullable=False
    ),
    moment("valid_to", "End of the period; NULL = still so."),
    moment("observed_at", "Observation that showed the period first.", nullable=False),
    moment("recorded_at", "When the row was written.", nullable=False),
    run_id(),
    PrimaryKeyConstraint("source_id", "image_id", "valid_from"),
    comment="One row per status period.",
)

revisions = Table(
    "revisions",
    metadata,
    source_id(),
    image_id(),
    *revision_columns(),
    *(field_column(field) for field in REVISION_FIELDS),
    *deletion(),
    *facets(),
    PrimaryKeyConstraint("source_id", "image_id", "observed_at"),
    Index("ix_revisions_valid", "source_id", "image_id", "valid_from", unique=True),
    Index(
        "ix_revisions_dated_back",
        "source_id",
        "observed_at",
        postgresql_where=text("valid_from < observed_at"),
    ),
    Index(
        "ix_revisions_changed",
        "valid_from",
        postgresql_using="brin",
        postgresql_with={"autosummarize": True},
    ),
    comment="One row per revision of an image, typed; behind image_revisions and images_as_of.",
)

revision_documents = Table(
    "revision_documents",
    metadata,
    source_id(),
    image_id(),
    moment("observed_at", "Observation in which the revision begins.", nullable=False),
    Column("document", JSONB, nullable=False, comment="Canonical form of the record."),
    PrimaryKeyConstraint("source_id", "image_id", "observed_at"),
    comment="Documents of revisions, kept apart because they are wide. Internal.",
)

observations = Table(
    "observations",
    metadata,
    source_id(),
    moment("observed_at", "When the observation was taken.", nullable=False),
    Column("complete", Boolean, nullable=False, comment="True: absence alone proves something."),
    Column(
        "contained_set",
        LargeBinary,
        comment="Of an incomplete one: key of the set of ids it held, in id_sets.",
    ),
    Column("inconclusive_set", LargeBinary, comment="Key of the ids it says nothing about, in id_sets."),
    Column("run_ids", ARRAY(UUID(as_uuid=False)), nullable=False, comment="Runs that make it up."),
    PrimaryKeyConstraint("source_id", "observed_at"),
    comment="The ledger that history is a function of. Internal.",
)

id_sets = Table(
    "id_sets",
    metadata,
    source_id(),
    Column("set_id", LargeBinary, nullable=False, comment="Hash of the set."),
    key_column(
        "kind",
        "listed; or why nothing is said: rejected, unanswered, held, kept; or found: unlisted, found by id.",
        nullable=False,
    ),
    Column("image_ids", ARRAY(Text), nullable=False, comment="Ids, sorted."),
    PrimaryKeyConstraint("source_id", "set_id", "kind"),
    comment="Sets of ids, each distinct one once. Internal.",
)

absences = Table(
    "absences",
    metadata,
    source_id(),
    image_id(),
    moment("observed_at", "Observation that proves the absence.", nullable=False),
    text_column("reason", "not_found, no_access or not_listed.", nullable=False),
    PrimaryKeyConstraint("source_id", "image_id", "observed_at"),
    Index("ix_absences_observed_at", "source_id", "observed_at"),
    comment="Absences known by more than a listing that leaves an image out: look-ups and approvals. Internal.",
)

lookups = Table(
    "lookups",
    metadata,
    source_id(),
    image_id(),
    moment("asked_at", "When last asked.", nullable=False),
    text_column("answer", "found or unanswered; other answers end the state.", nullable=False),
    PrimaryKeyConstraint("source_id", "image_id"),
    comment="State of look-ups of live images that are not listed. Internal.",
)


def _staged(column: Column[Any]) -> Column[Any]:
    """In the stage as in revisions, but never required: what is not sent is filled in on the way."""
    return Column(column.name, column.type, comment=column.comment)


stage = Table(
    "stage",
    metadata,
    run_id("Run that is about to write, as in runs.run_id.", nullable=False),
    Column("batch", Integer, nullable=False, comment="Step of the run: its rows are written at one go."),
    source_id(),
    image_id(),
    Column(
        "present",
        Boolean,
        nullable=False,
        comment="True: the revision is the image's last, images follows it.",
    ),
    moment("copy_of", "Observation of the revision whose content is taken over; NULL = this row's."),
    Column(
        "starts_period", Boolean, nullable=False, comment="True: a period of status_history begins with it."
    ),
    Column("raw_hash", LargeBinary, comment="Hash of the record's bytes as listed, as in image_state."),
    Column("live", Boolean, nullable=False, comment="Whether the image lives by this revision."),
    moment("unlisted_since", "As in images.unlisted_since."),
    moment("first_seen_at", "As in images.first_seen_at; NULL = as it was, or the revision's observed_at."),
    Column(
        "revision_run_id",
        UUID(as_uuid=False),
        nullable=False,
        comment="Run that names the revision, as in revisions.run_id.",
    ),
    moment("period_to", "End of the period that begins with it."),
    *(_staged(column) for column in revision_columns() if column.name != "run_id"),
    *(field_column(field) for field in FIELDS),
    *deletion(),
    *facets(),
    Column("capability_names", ARRAY(Text), comment="Capabilities in the order of the three next columns."),
    Column("capability_supported", ARRAY(Boolean), comment="As in image_capabilities.supported."),
    Column("capability_raw", ARRAY(Text), comment="As in image_capabilities.raw_value."),
    Column("capability_models", ARRAY(Text), comment="Array literals, as in image_capabilities.models."),
    Column("document", JSONB, comment="Canonical form of the record."),
    Index("ix_stage_batch", "run_id", "batch"),
    prefixes=["UNLOGGED"],
    comment="What a merge is about to write; empty outside of one. Internal.",
)

TRANSFERRED = tuple(name for name in metadata.tables if name not in ("stage", "leases"))
"""Tables that dump and restore carry."""

REVISION_FIELD_COLUMNS = tuple(field.column for field in REVISION_FIELDS)
