"""Tables behind history: revisions, the ledger of observations, and the stage that merges go through."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from catalog.fields import FIELDS
from catalog.store.db.columns import (
    REVISION_FIELDS,
    deletion,
    facets,
    field_column,
    image_id,
    key_column,
    metadata,
    moment,
    revision_columns,
    run_id,
    source_id,
    text_column,
)

status_history = Table(
    "status_history",
    metadata,
    source_id(),
    image_id(),
    moment("valid_from", "Start of the spell.", nullable=False),
    text_column(
        "status", "Status during the spell; deleted included, unknown where none was sent.", nullable=False
    ),
    moment("valid_to", "End of the spell; NULL = still so."),
    moment("observed_at", "Observation that showed the spell first.", nullable=False),
    moment("recorded_at", "When the row was written.", nullable=False),
    run_id(),
    PrimaryKeyConstraint("source_id", "image_id", "valid_from"),
    comment="One row per spell of a status.",
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
    Column("complete", Boolean, nullable=False, comment="True: absence alone proves lack."),
    Column(
        "held_set", LargeBinary, comment="Of an incomplete one: key of the set of ids it held, in id_sets."
    ),
    Column("silent_set", LargeBinary, comment="Key of the ids it says nothing about, in id_sets."),
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

lacks = Table(
    "lacks",
    metadata,
    source_id(),
    image_id(),
    moment("observed_at", "Observation that proves the lack.", nullable=False),
    text_column("reason", "not_found, no_access or not_listed.", nullable=False),
    PrimaryKeyConstraint("source_id", "image_id", "observed_at"),
    Index("ix_lacks_observed_at", "source_id", "observed_at"),
    comment="Lacks known by more than absence: look-ups and approvals. Internal.",
)

look_ups = Table(
    "look_ups",
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
        "starts_spell", Boolean, nullable=False, comment="True: a spell of status_history begins with it."
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
    moment("spell_to", "End of the spell that begins with it."),
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
