"""The tables, as SQLAlchemy knows them. Typed columns of images come from `catalog.fields`.

Natural keys led by `source_id`; no sequence, no trigger, no foreign key between a source's rows and
another's, so that a source is one shard. Comments become the SQL COMMENTs of columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
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

from catalog.fields import FIELDS, REVISION_FIELDS, Field
from catalog.model import ABSENCE_REASONS, DELETION_REASONS

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


def hash_column(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, LargeBinary, comment=comment, **options)


def uuid_column(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, UUID(as_uuid=False), comment=comment, **options)


def text_array(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, ARRAY(Text), comment=comment, **options)


def json_column(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, JSONB, comment=comment, **options)


def flag(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, Boolean, nullable=False, comment=comment, **options)


def integer(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, Integer, comment=comment, **options)


def bigint(name: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, BigInteger, comment=comment, **options)


def count(name: str, comment: str) -> Column[Any]:
    return bigint(name, comment, nullable=False, server_default=text("0"))


def field_column(field: Field) -> Column[Any]:
    return Column(field.column, TYPES[field.conversion](), comment=field.comment)


def source_id() -> Column[Any]:
    return key_column("source_id", "Source, as in sources.source_id.", nullable=False)


def image_id() -> Column[Any]:
    return key_column("image_id", "Id of the image in its cloud. Upstream: id.", nullable=False)


def run_id(comment: str = "Run that wrote it, as in runs.run_id.", **options: Any) -> Column[Any]:
    return uuid_column("run_id", comment, **options)


def table(name: str, key: Sequence[str], *items: Any, comment: str) -> Table:
    """A table with this primary key; the columns `source_id` and `image_id` of a key come first."""
    known = {"source_id": source_id, "image_id": image_id}
    leading = [known[column]() for column in key if column in known]
    return Table(name, metadata, *leading, *items, PrimaryKeyConstraint(*key), comment=comment)


def partial_index(name: str, where: str, *columns: Any) -> Index:
    """An index of the rows that meet a condition, by image unless other columns are named."""
    return Index(name, *(columns or ("source_id", "image_id")), postgresql_where=text(where))


def facets() -> list[Column[Any]]:
    """Tags, supported capabilities and properties in one row, for queries that read many images."""
    return [
        text_array("tags", "Tags as delivered, sorted; the rows of image_tags in one value."),
        text_array("capabilities", "Supported capabilities, sorted; from image_capabilities."),
        json_column("properties", "Keys without a column of their own; the rows of image_properties."),
    ]


def deletion() -> list[Column[Any]]:
    return [
        moment(
            "deleted_at", "When the image was deleted; NULL = live. Upstream: deleted_at, where reported."
        ),
        text_column("deletion_reason", f"How deletion is known: {', '.join(DELETION_REASONS)}."),
    ]


def revision_columns() -> list[Column[Any]]:
    return [
        moment("observed_at", "Observation in which the revision begins.", nullable=False),
        moment(
            "valid_from", "Start of validity: the cloud's own time where it can be trusted.", nullable=False
        ),
        moment("valid_to", "Start of the next revision; NULL = the last."),
        moment("recorded_at", "When the row was written.", nullable=False),
        run_id(),
        text_column(
            "change",
            "created (first known), updated, replaced (another created_at), deleted, restored.",
            nullable=False,
        ),
        json_column("changed", "What differs from the revision before: {key: [old, new]}, upstream keys."),
        hash_column("content_hash", "Hash of the canonical form; NULL = absence."),
        flag("reported", "True: the record itself says deleted."),
        text_column(
            "absence_reason", f"Why the absence is known: {', '.join(ABSENCE_REASONS)}; NULL = a record."
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
    moment(
        "last_complete_ended_at",
        "When that sweep ended, or its archive was loaded, by the database's clock.",
    ),
    Column("last_complete_seconds", Double, comment="How long the last complete sweep took. Unit: seconds."),
    moment(
        "last_changes_at",
        "observed_at of the last changes-only sweep that read all that is new, whether it found any or not.",
    ),
    moment("last_changes_ended_at", "When that sweep ended, by the database's clock."),
    moment("observed_since", "observed_at of the first observation."),
    moment("history_from", "History before this moment was pruned; NULL = never."),
    moment("retired_at", "When the source was retired; its images stay."),
    moment("created_at", "When the source was first recorded.", nullable=False),
    Column("expected_seconds", Double, comment="Expected time between sweeps. Unit: seconds."),
    moment("next_due_at", "When the daemon sweeps it next."),
    moment(
        "next_changes_at",
        "When the daemon asks it for changes alone next; NULL = not before a complete sweep.",
    ),
    moment(
        "failing_since",
        "Start of the first of the failed or partial runs in a row, changes-only sweeps left out; NULL = the last"
        " was complete.",
    ),
    integer("failures", "Runs in a row that were not complete.", nullable=False, server_default=text("0")),
    text_column(
        "error_kind",
        "Kind of the last failure: login, network, throttled, upstream, bad_listing, deadline, database, config;"
        " NULL = the last run was complete.",
    ),
    moment("projects_asked_at", "When names of projects were last asked for."),
    text_array(
        "login",
        "What the logins reached that stored images were seen with (project, roles and the like): later ones"
        " are compared with it. NULL = not known. Internal.",
    ),
    text_column("continues", "source_id in the archives that the source was made of. Internal."),
    count("last_event", "Number of the source's newest event; 0 = none yet."),
    comment="Where images come from: one cloud, region and project each. Rows are never deleted.",
)

images = table(
    "images",
    ["source_id", "image_id"],
    *(field_column(field) for field in FIELDS),
    *deletion(),
    moment("unlisted_since", "Live, but not listed by complete sweeps since then."),
    moment("first_seen_at", "observed_at of the image's first evidence.", nullable=False),
    moment("last_changed_at", "observed_at of the image's open revision.", nullable=False),
    *facets(),
    partial_index(
        "ix_images_promising", "properties ?| '{provided_until,replace_frequency,uuid_validity,hotfix_hours}'"
    ),
    partial_index("ix_images_updated_at", "deleted_at IS NULL", "source_id", "updated_at"),
    partial_index("ix_images_created", "deleted_at IS NULL", text("created_at DESC NULLS LAST")),
    partial_index(
        "ix_images_apart",
        "created_at IS NULL OR status IS DISTINCT FROM 'active' OR hidden OR is_off_shelved"
        " OR unlisted_since IS NOT NULL OR protected AND 'golden' = ANY (tags)",
    ),
    partial_index("ix_images_market", "image_type = 'market'"),
    comment="One row per image ever seen; live = deleted_at IS NULL.",
)

image_state = table(
    "image_state",
    ["source_id", "image_id"],
    hash_column("raw_hash", "Hash of the record's bytes as sent; a cache, NULL = compare in full."),
    hash_column("content_hash", "Hash of the canonical form; NULL = the last evidence is of absence."),
    flag("live", "False: the last evidence says deleted."),
    text_column("distro", "Operating system, as in image_os.distro."),
    text_column("release", "Its release, as in image_os.release."),
    text_column("arch", "Processor architecture, as in image_os.arch."),
    text_column(
        "purpose", "As in image_os.purpose; NULL = rules were not applied yet, catalog remap does it."
    ),
    text_column("family", "Family of the name, by image_family_rules; NULL = no name."),
    moment("created_at", "As in images.created_at."),
    bigint("owner_hash", "Hash of the owner; NULL = a snapshot or a backup, which is of no line."),
    comment="Fingerprints, what image_os tells, and what images are compared by; narrow, so that sweeps and views read"
    " little. Internal.",
)

image_tags = table(
    "image_tags",
    ["source_id", "image_id", "tag"],
    key_column("tag", "Exactly as delivered. Upstream: tags.", nullable=False),
    Index("ix_image_tags_tag", "tag", "source_id"),
    comment="Tags of images, each once.",
)

image_capabilities = table(
    "image_capabilities",
    ["source_id", "image_id", "capability"],
    key_column("capability", "Upstream key without __support_.", nullable=False),
    flag("supported", "Whether the image supports it, inversion applied."),
    text_column("raw_value", "Value as delivered."),
    text_array("models", "Models named, where the value is a list of models."),
    Index("ix_image_capabilities_capability", "capability", "supported"),
    comment="Capability flags of images; no row = not delivered.",
)

capabilities = table(
    "capabilities",
    ["capability"],
    key_column("capability", "Upstream key without __support_.", nullable=False),
    text_column("upstream_key", "Key as the cloud spells it.", nullable=False),
    text_column("value_kind", "flag or models.", nullable=False),
    flag("inverted", "True: the upstream true means not supported."),
    text_column(
        "family",
        "hypervisor, gpu, fpga, hana, network, size, cpu, agent, cloud_init or other.",
        nullable=False,
    ),
    text_column("description", "What it means."),
    comment="Capabilities known; new ones join when first seen.",
)

image_properties = table(
    "image_properties",
    ["source_id", "image_id", "name"],
    key_column("name", "Upstream key.", nullable=False),
    json_column("value", "JSON value as delivered.", nullable=False),
    comment="Every key that has no column, tag or capability of its own.",
)

runs = table(
    "runs",
    ["source_id", "run_id"],
    run_id("Identity of the run.", nullable=False),
    text_column("kind", "sync or backfill.", nullable=False),
    text_column(
        "scope",
        "complete: asked for the whole listing; changes: only for what is new.",
        nullable=False,
        server_default=text("'complete'"),
    ),
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
    text_column(
        "file",
        "File that a backfill read, as it was named; of several the first and how many more. NULL = a sweep.",
    ),
    Index("ix_runs_started_at", "source_id", "started_at"),
    comment="The ledger of runs.",
)

run_passes = table(
    "run_passes",
    ["source_id", "run_id", "pass"],
    run_id(nullable=False),
    key_column("pass", "listed, hidden, pending or market.", nullable=False),
    text_column("verdict", "complete, truncated or failed.", nullable=False),
    count("pages", "Pages read."),
    count("records", "Records read."),
    text_column("last_marker", "Last marker sent."),
    text_column("error", "One line."),
    comment="The passes of a run, each with its verdict.",
)

rejected_records = table(
    "rejected_records",
    ["source_id", "record_hash"],
    hash_column("record_hash", "Hash of the record's bytes.", nullable=False),
    key_column("image_id", "Id of the image, where known."),
    text_column("reason", "Why it could not be stored.", nullable=False),
    text_column("record", "The record as text; NUL shown as U+FFFD.", nullable=False),
    uuid_column("first_run_id", "First run that met it.", nullable=False),
    uuid_column("last_run_id", "Last run that met it.", nullable=False),
    bigint("count", "Runs that met it.", nullable=False),
    comment="Records that could not be stored as images, kept whole.",
)

rejections = table(
    "rejections",
    ["source_id", "record_hash", "run_id"],
    hash_column("record_hash", "As in rejected_records.record_hash.", nullable=False),
    run_id("Run that met the record.", nullable=False),
    moment("observed_at", "When the run observed.", nullable=False),
    comment="Which run met which rejected record: first, last and count follow from it. Internal.",
)

forgotten_runs = table(
    "forgotten_runs",
    ["source_id", "run_id"],
    run_id("Run whose observation somebody took out.", nullable=False),
    moment("observed_at", "When it observed.", nullable=False),
    moment("forgotten_at", "When it was taken out.", nullable=False),
    comment="Runs that backfill --forget took out: their archives do not come back unasked. Internal.",
)

loaded_files = table(
    "loaded_files",
    ["source_id", "observed_at", "file_hash", "run_id"],
    moment("observed_at", "When the run observed.", nullable=False),
    hash_column(
        "file_hash", "Hash of the records of a file, whatever is ignored or redacted.", nullable=False
    ),
    run_id("Run of a backfill that was made of the file, among others.", nullable=False),
    comment="Files that were loaded: they do not come back unasked when their runs are forgotten. Internal.",
)

held_deletions = table(
    "held_deletions",
    ["source_id", "image_id", "run_id"],
    run_id("Run that first held it.", nullable=False),
    moment("unlisted_since", "Since when the image is not listed."),
    moment("observed_at", "Observation that first held it.", nullable=False),
    key_column(
        "decision", "open, approved, kept, returned, or deleted: later evidence proved it.", nullable=False
    ),
    moment("decided_at", "When decided."),
    text_column("decided_by", "Who decided."),
    text_column(
        "reason",
        "limit; login_changed: the login reaches less than before, or may not see it; adopted: it did so when the"
        " source was adopted.",
        nullable=False,
        server_default=text("'limit'"),
    ),
    Index("ix_held_deletions_decision", "source_id", "decision"),
    comment="Deletions that are held back, and what became of them.",
)

kept_images = table(
    "kept_images",
    ["source_id", "image_id", "kept_at"],
    moment("seen_at", "Last evidence of the image before its deletion was held.", nullable=False),
    moment(
        "kept_at",
        "When somebody decided: absences observed since then up to here prove nothing.",
        nullable=False,
    ),
    comment="Decisions to keep an image, for what is loaded after them. Internal.",
)

projects = table(
    "projects",
    ["source_id", "project_id"],
    key_column("project_id", "Id of the project, as in images.owner.", nullable=False),
    text_column("name", "Name of the project."),
    text_column("domain_name", "Name of its domain."),
    moment("seen_at", "When last read.", nullable=False),
    comment="Names of owners, where the cloud gives them.",
)

image_family_rules = table(
    "image_family_rules",
    ["rank"],
    integer("rank", "Order; the lowest that matches decides.", autoincrement=False, nullable=False),
    text_column("pattern", "Regular expression on the name.", nullable=False),
    text_column("family", "Family: a replacement that may use the pattern's groups.", nullable=False),
    flag("builtin", "True: came with the product.", server_default=text("false")),
    comment="How a name's family is told; your own rules take ranks below 1000.",
)

image_os_rules = table(
    "image_os_rules",
    ["rank"],
    integer(
        "rank",
        "Order; of the rules of a kind the lowest that matches decides.",
        autoincrement=False,
        nullable=False,
    ),
    text_column("tells", "What the rule tells: system, arch or purpose.", nullable=False),
    text_column(
        "pattern",
        "Regular expression (Python's) on a key or a name in lower case, one blank for each run of separators.",
        nullable=False,
    ),
    text_column(
        "value", "distro, arch or purpose in image_os; may use the pattern's groups (\\1).", nullable=False
    ),
    text_column(
        "release",
        "Of a system: its release, with the pattern's groups (\\1), or a list such as noble=24.04 jammy=22.04.",
    ),
    flag("builtin", "True: came with the product.", server_default=text("false")),
    comment="How operating system, architecture and purpose are told; your own rules take ranks below 1000.",
)

os_support = table(
    "os_support",
    ["distro", "release", "phase"],
    key_column("distro", "Operating system, as in image_os.distro.", nullable=False),
    key_column("release", "Its release; 9 stands for 9.4 too.", nullable=False),
    key_column(
        "phase", "active, security and lts are free; extended is paid. In this order.", nullable=False
    ),
    Column("ends_on", Date, comment="Last day of the phase; NULL = not known. Unit: days, a date."),
    text_column("source", "Where the date comes from.", nullable=False),
    flag(
        "over",
        "True: the phase is over, though its last day is not known.",
        server_default=text("false"),
    ),
    flag("builtin", "True: came with the product.", server_default=text("false")),
    comment="Until when vendors support their systems, free and paid phases apart.",
)

image_announcements = table(
    "image_announcements",
    ["source_id", "scope", "subject", "announced_at"],
    key_column(
        "scope",
        "What subject names: an image, or a family; an image's own announcement goes before its family's.",
        nullable=False,
    ),
    key_column("subject", "Id of the image, or family as in image_os.family.", nullable=False),
    moment("announced_at", "When it was announced.", nullable=False),
    text_column("announced_by", "Who announced it."),
    moment("deprecated_at", "From when on nobody should choose it any more."),
    moment("obsolete_at", "From when on nobody should use it any more."),
    key_column("use_instead_id", "Image of the same source to use instead."),
    text_column("note", "What else there is to say."),
    moment("withdrawn_at", "When the announcement was withdrawn; NULL = it holds."),
    text_column("withdrawn_by", "Who withdrew it."),
    comment="What was announced of images and families by catalog announce; of one subject the latest that was not"
    " withdrawn counts.",
)

leases = table(
    "leases",
    ["source_id"],
    uuid_column("holder", "Run that holds the source; NULL = free."),
    bigint("fence", "Grows with each holder.", nullable=False),
    count("writes", "Grows with each transaction of a holder."),
    moment("expires_at", "End of the lease by the database's clock."),
    comment="Who may write a source. Internal.",
)

status_history = table(
    "status_history",
    ["source_id", "image_id", "valid_from"],
    moment("valid_from", "Start of the period.", nullable=False),
    text_column(
        "status", "Status during the period; deleted included, unknown where none was sent.", nullable=False
    ),
    moment("valid_to", "End of the period; NULL = still so."),
    moment("observed_at", "Observation that showed the period first.", nullable=False),
    moment("recorded_at", "When the row was written.", nullable=False),
    run_id(),
    comment="One row per status period.",
)

revisions = table(
    "revisions",
    ["source_id", "image_id", "observed_at"],
    *revision_columns(),
    *(field_column(field) for field in REVISION_FIELDS),
    *deletion(),
    *facets(),
    Index("ix_revisions_valid", "source_id", "image_id", "valid_from", unique=True),
    partial_index("ix_revisions_dated_back", "valid_from < observed_at", "source_id", "observed_at"),
    partial_index("ix_revisions_unlisted", "hidden OR image_type = 'market'"),
    partial_index("ix_revisions_withdrawn", "changed -> 'visibility' ->> 0 = 'public'"),
    partial_index("ix_revisions_promises", "changed ?| '{provided_until,uuid_validity}'"),
    Index(
        "ix_revisions_changed",
        "valid_from",
        postgresql_using="brin",
        postgresql_with={"autosummarize": True},
    ),
    comment="One row per revision of an image, typed; behind image_revisions and images_as_of.",
)

revision_documents = table(
    "revision_documents",
    ["source_id", "image_id", "observed_at"],
    moment("observed_at", "Observation in which the revision begins.", nullable=False),
    json_column("document", "Canonical form of the record.", nullable=False),
    comment="Documents of revisions, kept apart because they are wide. Internal.",
)

observations = table(
    "observations",
    ["source_id", "observed_at"],
    moment("observed_at", "When the observation was taken.", nullable=False),
    flag("complete", "True: absence alone proves something."),
    flag(
        "covers_hidden",
        "False: it proves nothing about images that some record calls hidden.",
        server_default=text("true"),
    ),
    hash_column("contained_set", "Of an incomplete one: key of the set of ids it held, in id_sets."),
    hash_column("inconclusive_set", "Key of the ids it says nothing about, in id_sets."),
    Column(
        "run_ids",
        ARRAY(UUID(as_uuid=False)),
        nullable=False,
        comment="Runs that make it up, or whose deletions somebody approved.",
    ),
    text_array("login", "What its logins reached (project, roles and the like). NULL = not known."),
    comment="The ledger that history is a function of. Internal.",
)

id_sets = table(
    "id_sets",
    ["source_id", "set_id", "kind"],
    hash_column("set_id", "Hash of the set.", nullable=False),
    key_column(
        "kind",
        "listed; or why nothing is said: rejected, unanswered, held, held_for_login, kept, unlisted, hidden,"
        " unreached, unproved; or found by id, unlisted.",
        nullable=False,
    ),
    text_array("image_ids", "Ids, sorted.", nullable=False),
    comment="Sets of ids, each distinct one once. Internal.",
)

absences = table(
    "absences",
    ["source_id", "image_id", "observed_at"],
    moment("observed_at", "Observation that proves the absence.", nullable=False),
    text_column("reason", f"{', '.join(ABSENCE_REASONS)}.", nullable=False),
    Index("ix_absences_observed_at", "source_id", "observed_at"),
    comment="Absences known by more than a listing that leaves an image out: look-ups and approvals. Internal.",
)

lookups = table(
    "lookups",
    ["source_id", "image_id"],
    moment("asked_at", "Observation that last asked.", nullable=False),
    moment("clock_at", "When that was by the database's clock, where it is far behind the observation."),
    text_column("answer", "found or unanswered; other answers end the state.", nullable=False),
    comment="State of look-ups of live images that are not listed. Internal.",
)


def _staged(column: Column[Any]) -> Column[Any]:
    """In the stage as in revisions, but never required: what is not sent is filled in on the way."""
    return Column(column.name, column.type, comment=column.comment)


stage = Table(
    "stage",
    metadata,
    run_id("Run that is about to write, as in runs.run_id.", nullable=False),
    integer("batch", "Step of the run: its rows are written at one go.", nullable=False),
    source_id(),
    image_id(),
    flag("present", "True: the revision is the image's last, images follows it."),
    moment("copy_of", "Observation of the revision whose content is taken over; NULL = this row's."),
    flag("starts_period", "True: a period of status_history begins with it."),
    hash_column("raw_hash", "Hash of the record's bytes as listed, as in image_state."),
    flag("live", "Whether the image lives by this revision."),
    moment("unlisted_since", "As in images.unlisted_since."),
    moment("first_seen_at", "As in images.first_seen_at; NULL = as it was, or the revision's observed_at."),
    uuid_column("revision_run_id", "Run that names the revision, as in revisions.run_id.", nullable=False),
    moment("period_to", "End of the period that begins with it."),
    *(_staged(column) for column in revision_columns() if column.name != "run_id"),
    *(field_column(field) for field in FIELDS),
    *deletion(),
    *facets(),
    text_array("capability_names", "Capabilities in the order of the three next columns."),
    Column("capability_supported", ARRAY(Boolean), comment="As in image_capabilities.supported."),
    text_array("capability_raw", "As in image_capabilities.raw_value."),
    text_array("capability_models", "Array literals, as in image_capabilities.models."),
    json_column("document", "Canonical form of the record."),
    text_column("distro", "As in image_state.distro."),
    text_column("release", "As in image_state.release."),
    text_column("arch", "As in image_state.arch."),
    text_column("purpose", "As in image_state.purpose; NULL = the image's system is as it was."),
    text_column("family", "As in image_state.family."),
    Index("ix_stage_batch", "run_id", "batch"),
    prefixes=["UNLOGGED"],
    comment="What a merge is about to write; empty outside of one. Internal.",
)

events = table(
    "events",
    ("source_id", "number"),
    bigint("number", "Grows by one with each event of the source, and never comes again.", nullable=False),
    run_id("Sweep that wrote it, as in runs.run_id.", nullable=False),
    key_column("type", "What happened, as a type of CloudEvents; docs/events.md lists them.", nullable=False),
    key_column("subject", "Id of the image, as in images.image_id; NULL = of the whole source."),
    moment("time", "When the sweep observed it, never before the event before it.", nullable=False),
    json_column(
        "data",
        "What happened: for images name, status, tags, change, changed ({key: [old, new]}) and more.",
        nullable=False,
    ),
    comment="What sweeps changed, written by the merge itself; kept for events_keep.",
)

webhooks = table(
    "webhooks",
    ("name",),
    key_column("name", "Name of the webhook in the configuration.", nullable=False),
    moment("created_at", "When a daemon met it first; what was written before is not sent.", nullable=False),
    uuid_column("holder", "Delivery that holds it; NULL = free."),
    moment("held_until", "End of that by the database's clock."),
    moment("attempted_at", "When something was last sent."),
    moment("delivered_at", "When something was last accepted."),
    text_column("answer", "Last answer or failure, one line."),
    integer("failures", "Failures in a row.", nullable=False, server_default=text("0")),
    moment("next_attempt_at", "Not before this moment, as it failed; NULL = at once."),
    comment="State of each webhook of the configuration. Internal.",
)

webhook_positions = table(
    "webhook_positions",
    ("source_id", "webhook"),
    key_column("webhook", "As in webhooks.name.", nullable=False),
    bigint("number", "Events up to this number are done with: accepted, or not asked for.", nullable=False),
    comment="How far each webhook has been told of each source's events; no row = of none. Internal.",
)

TRANSFERRED = tuple(name for name in metadata.tables if name not in ("stage", "leases"))
"""Tables that dump and restore carry."""


def key_in_source(name: str) -> str:
    """The columns that tell the rows of one source in a table apart; "" where nothing does."""
    return ", ".join(c.name for c in metadata.tables[name].primary_key if c.name != "source_id")
