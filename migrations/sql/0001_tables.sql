-- Schema of the first release: every table, its indexes, and a comment on each column.
-- Keys sort by their bytes (COLLATE "C"): a new C library of the machine breaks no index.
-- Frozen once released: later changes come as later migrations.

CREATE TABLE status_history (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id UUID,
    CONSTRAINT pk_status_history PRIMARY KEY (source_id, image_id, valid_from)
);

COMMENT ON TABLE status_history IS 'One row per status period.';

COMMENT ON COLUMN status_history.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN status_history.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN status_history.valid_from IS 'Start of the period. Unit: UTC.';
COMMENT ON COLUMN status_history.status IS 'Status during the period; deleted included, unknown where none was sent.';
COMMENT ON COLUMN status_history.valid_to IS 'End of the period; NULL = still so. Unit: UTC.';
COMMENT ON COLUMN status_history.observed_at IS 'Observation that showed the period first. Unit: UTC.';
COMMENT ON COLUMN status_history.recorded_at IS 'When the row was written. Unit: UTC.';
COMMENT ON COLUMN status_history.run_id IS 'Run that wrote it, as in runs.run_id.';

CREATE TABLE revisions (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id UUID,
    change TEXT NOT NULL,
    changed JSONB,
    content_hash BYTEA,
    reported BOOLEAN NOT NULL,
    absence_reason TEXT,
    cloud_time TIMESTAMP WITH TIME ZONE,
    cloud_deleted_at TIMESTAMP WITH TIME ZONE,
    period_from TIMESTAMP WITH TIME ZONE NOT NULL,
    name TEXT,
    status TEXT,
    visibility TEXT,
    owner TEXT,
    protected BOOLEAN,
    hidden BOOLEAN,
    container_format TEXT,
    disk_format TEXT,
    size BIGINT,
    virtual_size BIGINT,
    image_size BIGINT,
    checksum TEXT,
    hash_algo TEXT,
    hash_value TEXT,
    min_ram INTEGER,
    min_disk INTEGER,
    max_ram INTEGER,
    image_type TEXT,
    image_kind TEXT,
    platform TEXT,
    os_type TEXT,
    os_version TEXT,
    os_bit INTEGER,
    architecture TEXT,
    virtual_env_type TEXT,
    hw_firmware_type TEXT,
    image_source_type TEXT,
    is_registered BOOLEAN,
    is_off_shelved BOOLEAN,
    is_whole_image BOOLEAN,
    lazy_loading BOOLEAN,
    description TEXT,
    parent_image_id TEXT,
    source_server_id TEXT,
    backup_id TEXT,
    product_code TEXT,
    data_origin TEXT,
    encryption_key_id TEXT,
    enterprise_project_id TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deletion_reason TEXT,
    tags TEXT[],
    capabilities TEXT[],
    properties JSONB,
    CONSTRAINT pk_revisions PRIMARY KEY (source_id, image_id, observed_at)
);

CREATE INDEX ix_revisions_dated_back ON revisions (source_id, observed_at) WHERE valid_from < observed_at;

CREATE INDEX ix_revisions_unlisted ON revisions (source_id, image_id) WHERE hidden OR image_type = 'market';

CREATE UNIQUE INDEX ix_revisions_valid ON revisions (source_id, image_id, valid_from);

-- What changed since a moment. Revisions are written in the order of time, so a block-range index tells old pages
-- from new ones; it costs a first load next to nothing, and a hundredth of a B-tree's room.
CREATE INDEX ix_revisions_changed ON revisions USING brin (valid_from) WITH (autosummarize = on);

COMMENT ON TABLE revisions IS 'One row per revision of an image, typed; behind image_revisions and images_as_of.';

COMMENT ON COLUMN revisions.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN revisions.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN revisions.observed_at IS 'Observation in which the revision begins. Unit: UTC.';
COMMENT ON COLUMN revisions.valid_from IS 'Start of validity: the cloud''s own time where it can be trusted. Unit: UTC.';
COMMENT ON COLUMN revisions.valid_to IS 'Start of the next revision; NULL = the last. Unit: UTC.';
COMMENT ON COLUMN revisions.recorded_at IS 'When the row was written. Unit: UTC.';
COMMENT ON COLUMN revisions.run_id IS 'Run that wrote it, as in runs.run_id.';
COMMENT ON COLUMN revisions.change IS 'created (first known), updated, replaced (another created_at), deleted, restored.';
COMMENT ON COLUMN revisions.changed IS 'What differs from the revision before: {key: [old, new]}, upstream keys.';
COMMENT ON COLUMN revisions.content_hash IS 'Hash of the canonical form; NULL = absence.';
COMMENT ON COLUMN revisions.reported IS 'True: the record itself says deleted.';
COMMENT ON COLUMN revisions.absence_reason IS 'Why the absence is known: not_found, no_access, not_listed; NULL = a record.';
COMMENT ON COLUMN revisions.cloud_time IS 'The cloud''s own time of the content. Unit: UTC.';
COMMENT ON COLUMN revisions.cloud_deleted_at IS 'deleted_at as the record delivered it. Unit: UTC.';
COMMENT ON COLUMN revisions.period_from IS 'Start of the status period this revision belongs to. Unit: UTC.';
COMMENT ON COLUMN revisions.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN revisions.status IS 'Status as the cloud last said it; an open set (queued, active, ...). Upstream: status.';
COMMENT ON COLUMN revisions.visibility IS 'Who may see the image: public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN revisions.owner IS 'Project (tenant) that owns the image. Upstream: owner.';
COMMENT ON COLUMN revisions.protected IS 'True: the cloud refuses to delete the image. Upstream: protected.';
COMMENT ON COLUMN revisions.hidden IS 'True: left out of default listings, usable by id. Upstream: os_hidden.';
COMMENT ON COLUMN revisions.container_format IS 'Container format, e.g. bare. Upstream: container_format.';
COMMENT ON COLUMN revisions.disk_format IS 'Disk format; an open set (qcow2, raw, zvhd2, iso, ...). Upstream: disk_format.';
COMMENT ON COLUMN revisions.size IS 'Size as delivered; the Image Management Service sends a placeholder. Unit: bytes. Upstream: size.';
COMMENT ON COLUMN revisions.virtual_size IS 'Size of the virtual disk as delivered. Unit: bytes. Upstream: virtual_size.';
COMMENT ON COLUMN revisions.image_size IS 'Size of the image file. Unit: bytes. Upstream: __image_size.';
COMMENT ON COLUMN revisions.checksum IS 'Checksum as delivered; never an identity. Upstream: checksum.';
COMMENT ON COLUMN revisions.hash_algo IS 'Algorithm of hash_value, e.g. sha512. Upstream: os_hash_algo.';
COMMENT ON COLUMN revisions.hash_value IS 'Hash of the image data by hash_algo. Upstream: os_hash_value.';
COMMENT ON COLUMN revisions.min_ram IS 'Smallest memory that runs the image. Unit: MB. Upstream: min_ram.';
COMMENT ON COLUMN revisions.min_disk IS 'Smallest disk that holds the image. Unit: GB. Upstream: min_disk.';
COMMENT ON COLUMN revisions.max_ram IS 'Largest memory that the image supports; 0 = no limit. Unit: MB. Upstream: max_ram.';
COMMENT ON COLUMN revisions.image_type IS 'Kind in the Image Management Service: gold, private, shared, market. Upstream: __imagetype.';
COMMENT ON COLUMN revisions.image_kind IS 'Kind in Glance: snapshot, backup; nothing for an uploaded image. Upstream: image_type.';
COMMENT ON COLUMN revisions.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN revisions.os_type IS 'Operating system type: Linux, Windows, Other, ... Upstream: __os_type, os_type.';
COMMENT ON COLUMN revisions.os_version IS 'Operating system version; text, never a number. Upstream: __os_version, os_version.';
COMMENT ON COLUMN revisions.os_bit IS 'Word width of the operating system. Unit: bit. Upstream: __os_bit.';
COMMENT ON COLUMN revisions.architecture IS 'Processor architecture: x86_64, aarch64, ... Upstream: architecture.';
COMMENT ON COLUMN revisions.virtual_env_type IS 'Where it is used: FusionCompute, Ironic, DataImage, IsoImage. Upstream: virtual_env_type.';
COMMENT ON COLUMN revisions.hw_firmware_type IS 'Boot mode: bios or uefi. Upstream: hw_firmware_type.';
COMMENT ON COLUMN revisions.image_source_type IS 'Storage type behind the image, e.g. uds. Upstream: __image_source_type.';
COMMENT ON COLUMN revisions.is_registered IS 'True: registered and so ready for use. Upstream: __isregistered.';
COMMENT ON COLUMN revisions.is_off_shelved IS 'True: taken off the marketplace''s shelf. Upstream: __is_offshelved.';
COMMENT ON COLUMN revisions.is_whole_image IS 'True: an image of a whole server, with its data disks. Upstream: __whole_image.';
COMMENT ON COLUMN revisions.lazy_loading IS 'True: supports lazy loading. Upstream: __lazyloading.';
COMMENT ON COLUMN revisions.description IS 'Description by the image''s owner. Upstream: __description, description.';
COMMENT ON COLUMN revisions.parent_image_id IS 'Image this one was made from; may be gone, or be the image itself. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN revisions.source_server_id IS 'Server this image was made from (also from __data_origin where it reads instance,ID). Upstream: instance_uuid.';
COMMENT ON COLUMN revisions.backup_id IS 'Backup this image was made from. Upstream: __backup_id.';
COMMENT ON COLUMN revisions.product_code IS 'Product of the marketplace. Upstream: __productcode.';
COMMENT ON COLUMN revisions.data_origin IS 'Where the data came from, as delivered. Upstream: __data_origin.';
COMMENT ON COLUMN revisions.encryption_key_id IS 'Key that encrypts the image. Upstream: __system__cmkid, cinder_encryption_key_id.';
COMMENT ON COLUMN revisions.enterprise_project_id IS 'Enterprise project; 0 = default. Upstream: enterprise_project_id.';
COMMENT ON COLUMN revisions.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN revisions.updated_at IS 'When the cloud says the image was last updated. Unit: UTC. Upstream: updated_at.';
COMMENT ON COLUMN revisions.deleted_at IS 'When the image was deleted; NULL = live. Upstream: deleted_at, where reported. Unit: UTC.';
COMMENT ON COLUMN revisions.deletion_reason IS 'How deletion is known: reported, not_found, no_access, not_listed.';
COMMENT ON COLUMN revisions.tags IS 'Tags as delivered, sorted; the rows of image_tags in one value.';
COMMENT ON COLUMN revisions.capabilities IS 'Supported capabilities, sorted; from image_capabilities.';
COMMENT ON COLUMN revisions.properties IS 'Keys without a column of their own; the rows of image_properties.';

CREATE TABLE revision_documents (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    document JSONB NOT NULL,
    CONSTRAINT pk_revision_documents PRIMARY KEY (source_id, image_id, observed_at)
);

COMMENT ON TABLE revision_documents IS 'Documents of revisions, kept apart because they are wide. Internal.';

COMMENT ON COLUMN revision_documents.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN revision_documents.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN revision_documents.observed_at IS 'Observation in which the revision begins. Unit: UTC.';
COMMENT ON COLUMN revision_documents.document IS 'Canonical form of the record.';

CREATE TABLE observations (
    source_id TEXT COLLATE "C" NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    complete BOOLEAN NOT NULL,
    covers_hidden BOOLEAN DEFAULT true NOT NULL,
    contained_set BYTEA,
    inconclusive_set BYTEA,
    run_ids UUID[] NOT NULL,
    login TEXT[],
    CONSTRAINT pk_observations PRIMARY KEY (source_id, observed_at)
);

COMMENT ON TABLE observations IS 'The ledger that history is a function of. Internal.';

COMMENT ON COLUMN observations.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN observations.observed_at IS 'When the observation was taken. Unit: UTC.';
COMMENT ON COLUMN observations.complete IS 'True: absence alone proves something.';
COMMENT ON COLUMN observations.covers_hidden IS 'False: it proves nothing about images that some record calls hidden.';
COMMENT ON COLUMN observations.contained_set IS 'Of an incomplete one: key of the set of ids it held, in id_sets.';
COMMENT ON COLUMN observations.inconclusive_set IS 'Key of the ids it says nothing about, in id_sets.';
COMMENT ON COLUMN observations.run_ids IS 'Runs that make it up, or whose deletions somebody approved.';
COMMENT ON COLUMN observations.login IS 'What its logins reached (project, roles and the like). NULL = not known.';

CREATE TABLE id_sets (
    source_id TEXT COLLATE "C" NOT NULL,
    set_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    image_ids TEXT[] NOT NULL,
    CONSTRAINT pk_id_sets PRIMARY KEY (source_id, set_id, kind)
);

COMMENT ON TABLE id_sets IS 'Sets of ids, each distinct one once. Internal.';

COMMENT ON COLUMN id_sets.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN id_sets.set_id IS 'Hash of the set.';
COMMENT ON COLUMN id_sets.kind IS 'listed; or why nothing is said: rejected, unanswered, held, held_for_login, kept, unlisted, hidden, unreached, unproved; or found by id, unlisted.';
COMMENT ON COLUMN id_sets.image_ids IS 'Ids, sorted.';

CREATE TABLE absences (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_absences PRIMARY KEY (source_id, image_id, observed_at)
);

CREATE INDEX ix_absences_observed_at ON absences (source_id, observed_at);

COMMENT ON TABLE absences IS 'Absences known by more than a listing that leaves an image out: look-ups and approvals. Internal.';

COMMENT ON COLUMN absences.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN absences.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN absences.observed_at IS 'Observation that proves the absence. Unit: UTC.';
COMMENT ON COLUMN absences.reason IS 'not_found, no_access, not_listed.';

CREATE TABLE lookups (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    clock_at TIMESTAMP WITH TIME ZONE,
    answer TEXT NOT NULL,
    CONSTRAINT pk_lookups PRIMARY KEY (source_id, image_id)
);

COMMENT ON TABLE lookups IS 'State of look-ups of live images that are not listed. Internal.';

COMMENT ON COLUMN lookups.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN lookups.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN lookups.asked_at IS 'Observation that last asked. Unit: UTC.';
COMMENT ON COLUMN lookups.clock_at IS 'When that was by the database''s clock, where it is far behind the observation. Unit: UTC.';
COMMENT ON COLUMN lookups.answer IS 'found or unanswered; other answers end the state.';

CREATE UNLOGGED TABLE stage (
    run_id UUID NOT NULL,
    batch INTEGER NOT NULL,
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    present BOOLEAN NOT NULL,
    copy_of TIMESTAMP WITH TIME ZONE,
    starts_period BOOLEAN NOT NULL,
    raw_hash BYTEA,
    live BOOLEAN NOT NULL,
    unlisted_since TIMESTAMP WITH TIME ZONE,
    first_seen_at TIMESTAMP WITH TIME ZONE,
    revision_run_id UUID NOT NULL,
    period_to TIMESTAMP WITH TIME ZONE,
    observed_at TIMESTAMP WITH TIME ZONE,
    valid_from TIMESTAMP WITH TIME ZONE,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_at TIMESTAMP WITH TIME ZONE,
    change TEXT,
    changed JSONB,
    content_hash BYTEA,
    reported BOOLEAN,
    absence_reason TEXT,
    cloud_time TIMESTAMP WITH TIME ZONE,
    cloud_deleted_at TIMESTAMP WITH TIME ZONE,
    period_from TIMESTAMP WITH TIME ZONE,
    name TEXT,
    status TEXT,
    visibility TEXT,
    owner TEXT,
    protected BOOLEAN,
    hidden BOOLEAN,
    container_format TEXT,
    disk_format TEXT,
    size BIGINT,
    virtual_size BIGINT,
    image_size BIGINT,
    checksum TEXT,
    hash_algo TEXT,
    hash_value TEXT,
    min_ram INTEGER,
    min_disk INTEGER,
    max_ram INTEGER,
    image_type TEXT,
    image_kind TEXT,
    platform TEXT,
    os_type TEXT,
    os_version TEXT,
    os_bit INTEGER,
    architecture TEXT,
    virtual_env_type TEXT,
    hw_firmware_type TEXT,
    image_source_type TEXT,
    is_registered BOOLEAN,
    is_off_shelved BOOLEAN,
    is_whole_image BOOLEAN,
    lazy_loading BOOLEAN,
    description TEXT,
    parent_image_id TEXT,
    source_server_id TEXT,
    backup_id TEXT,
    product_code TEXT,
    data_origin TEXT,
    encryption_key_id TEXT,
    enterprise_project_id TEXT,
    file_url TEXT,
    self_url TEXT,
    schema_url TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deletion_reason TEXT,
    tags TEXT[],
    capabilities TEXT[],
    properties JSONB,
    capability_names TEXT[],
    capability_supported BOOLEAN[],
    capability_raw TEXT[],
    capability_models TEXT[],
    document JSONB,
    distro TEXT,
    release TEXT,
    arch TEXT,
    purpose TEXT,
    family TEXT
)
 WITH (toast_tuple_target = 8160);

CREATE INDEX ix_stage_batch ON stage (run_id, batch);

COMMENT ON TABLE stage IS 'What a merge is about to write; empty outside of one. Internal.';

COMMENT ON COLUMN stage.run_id IS 'Run that is about to write, as in runs.run_id.';
COMMENT ON COLUMN stage.batch IS 'Step of the run: its rows are written at one go.';
COMMENT ON COLUMN stage.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN stage.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN stage.copy_of IS 'Observation of the revision whose content is taken over; NULL = this row''s. Unit: UTC.';
COMMENT ON COLUMN stage.starts_period IS 'True: a period of status_history begins with it.';
COMMENT ON COLUMN stage.raw_hash IS 'Hash of the record''s bytes as listed, as in image_state.';
COMMENT ON COLUMN stage.live IS 'Whether the image lives by this revision.';
COMMENT ON COLUMN stage.unlisted_since IS 'As in images.unlisted_since. Unit: UTC.';
COMMENT ON COLUMN stage.first_seen_at IS 'As in images.first_seen_at; NULL = as it was, or the revision''s observed_at. Unit: UTC.';
COMMENT ON COLUMN stage.revision_run_id IS 'Run that names the revision, as in revisions.run_id.';
COMMENT ON COLUMN stage.period_to IS 'End of the period that begins with it. Unit: UTC.';
COMMENT ON COLUMN stage.observed_at IS 'Observation in which the revision begins. Unit: UTC.';
COMMENT ON COLUMN stage.valid_from IS 'Start of validity: the cloud''s own time where it can be trusted. Unit: UTC.';
COMMENT ON COLUMN stage.valid_to IS 'Start of the next revision; NULL = the last. Unit: UTC.';
COMMENT ON COLUMN stage.recorded_at IS 'When the row was written. Unit: UTC.';
COMMENT ON COLUMN stage.change IS 'created (first known), updated, replaced (another created_at), deleted, restored.';
COMMENT ON COLUMN stage.changed IS 'What differs from the revision before: {key: [old, new]}, upstream keys.';
COMMENT ON COLUMN stage.content_hash IS 'Hash of the canonical form; NULL = absence.';
COMMENT ON COLUMN stage.reported IS 'True: the record itself says deleted.';
COMMENT ON COLUMN stage.absence_reason IS 'Why the absence is known: not_found, no_access, not_listed; NULL = a record.';
COMMENT ON COLUMN stage.cloud_time IS 'The cloud''s own time of the content. Unit: UTC.';
COMMENT ON COLUMN stage.cloud_deleted_at IS 'deleted_at as the record delivered it. Unit: UTC.';
COMMENT ON COLUMN stage.period_from IS 'Start of the status period this revision belongs to. Unit: UTC.';
COMMENT ON COLUMN stage.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN stage.status IS 'Status as the cloud last said it; an open set (queued, active, ...). Upstream: status.';
COMMENT ON COLUMN stage.visibility IS 'Who may see the image: public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN stage.owner IS 'Project (tenant) that owns the image. Upstream: owner.';
COMMENT ON COLUMN stage.protected IS 'True: the cloud refuses to delete the image. Upstream: protected.';
COMMENT ON COLUMN stage.hidden IS 'True: left out of default listings, usable by id. Upstream: os_hidden.';
COMMENT ON COLUMN stage.container_format IS 'Container format, e.g. bare. Upstream: container_format.';
COMMENT ON COLUMN stage.disk_format IS 'Disk format; an open set (qcow2, raw, zvhd2, iso, ...). Upstream: disk_format.';
COMMENT ON COLUMN stage.size IS 'Size as delivered; the Image Management Service sends a placeholder. Unit: bytes. Upstream: size.';
COMMENT ON COLUMN stage.virtual_size IS 'Size of the virtual disk as delivered. Unit: bytes. Upstream: virtual_size.';
COMMENT ON COLUMN stage.image_size IS 'Size of the image file. Unit: bytes. Upstream: __image_size.';
COMMENT ON COLUMN stage.checksum IS 'Checksum as delivered; never an identity. Upstream: checksum.';
COMMENT ON COLUMN stage.hash_algo IS 'Algorithm of hash_value, e.g. sha512. Upstream: os_hash_algo.';
COMMENT ON COLUMN stage.hash_value IS 'Hash of the image data by hash_algo. Upstream: os_hash_value.';
COMMENT ON COLUMN stage.min_ram IS 'Smallest memory that runs the image. Unit: MB. Upstream: min_ram.';
COMMENT ON COLUMN stage.min_disk IS 'Smallest disk that holds the image. Unit: GB. Upstream: min_disk.';
COMMENT ON COLUMN stage.max_ram IS 'Largest memory that the image supports; 0 = no limit. Unit: MB. Upstream: max_ram.';
COMMENT ON COLUMN stage.image_type IS 'Kind in the Image Management Service: gold, private, shared, market. Upstream: __imagetype.';
COMMENT ON COLUMN stage.image_kind IS 'Kind in Glance: snapshot, backup; nothing for an uploaded image. Upstream: image_type.';
COMMENT ON COLUMN stage.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN stage.os_type IS 'Operating system type: Linux, Windows, Other, ... Upstream: __os_type, os_type.';
COMMENT ON COLUMN stage.os_version IS 'Operating system version; text, never a number. Upstream: __os_version, os_version.';
COMMENT ON COLUMN stage.os_bit IS 'Word width of the operating system. Unit: bit. Upstream: __os_bit.';
COMMENT ON COLUMN stage.architecture IS 'Processor architecture: x86_64, aarch64, ... Upstream: architecture.';
COMMENT ON COLUMN stage.virtual_env_type IS 'Where it is used: FusionCompute, Ironic, DataImage, IsoImage. Upstream: virtual_env_type.';
COMMENT ON COLUMN stage.hw_firmware_type IS 'Boot mode: bios or uefi. Upstream: hw_firmware_type.';
COMMENT ON COLUMN stage.image_source_type IS 'Storage type behind the image, e.g. uds. Upstream: __image_source_type.';
COMMENT ON COLUMN stage.is_registered IS 'True: registered and so ready for use. Upstream: __isregistered.';
COMMENT ON COLUMN stage.is_off_shelved IS 'True: taken off the marketplace''s shelf. Upstream: __is_offshelved.';
COMMENT ON COLUMN stage.is_whole_image IS 'True: an image of a whole server, with its data disks. Upstream: __whole_image.';
COMMENT ON COLUMN stage.lazy_loading IS 'True: supports lazy loading. Upstream: __lazyloading.';
COMMENT ON COLUMN stage.description IS 'Description by the image''s owner. Upstream: __description, description.';
COMMENT ON COLUMN stage.parent_image_id IS 'Image this one was made from; may be gone, or be the image itself. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN stage.source_server_id IS 'Server this image was made from (also from __data_origin where it reads instance,ID). Upstream: instance_uuid.';
COMMENT ON COLUMN stage.backup_id IS 'Backup this image was made from. Upstream: __backup_id.';
COMMENT ON COLUMN stage.product_code IS 'Product of the marketplace. Upstream: __productcode.';
COMMENT ON COLUMN stage.data_origin IS 'Where the data came from, as delivered. Upstream: __data_origin.';
COMMENT ON COLUMN stage.encryption_key_id IS 'Key that encrypts the image. Upstream: __system__cmkid, cinder_encryption_key_id.';
COMMENT ON COLUMN stage.enterprise_project_id IS 'Enterprise project; 0 = default. Upstream: enterprise_project_id.';
COMMENT ON COLUMN stage.file_url IS 'Path of the image file; opens no revision. Upstream: file.';
COMMENT ON COLUMN stage.self_url IS 'Path of the image; opens no revision. Upstream: self.';
COMMENT ON COLUMN stage.schema_url IS 'Path of the image''s schema; opens no revision. Upstream: schema.';
COMMENT ON COLUMN stage.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN stage.updated_at IS 'When the cloud says the image was last updated. Unit: UTC. Upstream: updated_at.';
COMMENT ON COLUMN stage.deleted_at IS 'When the image was deleted; NULL = live. Upstream: deleted_at, where reported. Unit: UTC.';
COMMENT ON COLUMN stage.deletion_reason IS 'How deletion is known: reported, not_found, no_access, not_listed.';
COMMENT ON COLUMN stage.tags IS 'Tags as delivered, sorted; the rows of image_tags in one value.';
COMMENT ON COLUMN stage.capabilities IS 'Supported capabilities, sorted; from image_capabilities.';
COMMENT ON COLUMN stage.properties IS 'Keys without a column of their own; the rows of image_properties.';
COMMENT ON COLUMN stage.capability_names IS 'Capabilities in the order of the three next columns.';
COMMENT ON COLUMN stage.capability_supported IS 'As in image_capabilities.supported.';
COMMENT ON COLUMN stage.capability_raw IS 'As in image_capabilities.raw_value.';
COMMENT ON COLUMN stage.capability_models IS 'Array literals, as in image_capabilities.models.';
COMMENT ON COLUMN stage.document IS 'Canonical form of the record.';
COMMENT ON COLUMN stage.distro IS 'As in image_state.distro.';
COMMENT ON COLUMN stage.release IS 'As in image_state.release.';
COMMENT ON COLUMN stage.arch IS 'As in image_state.arch.';
COMMENT ON COLUMN stage.purpose IS 'As in image_state.purpose; NULL = the image''s system is as it was.';
COMMENT ON COLUMN stage.family IS 'As in image_state.family.';
COMMENT ON COLUMN stage.present IS 'True: the revision is the image''s last, images follows it.';

CREATE TABLE sources (
    source_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    cloud TEXT,
    region TEXT,
    project_id TEXT,
    endpoint TEXT,
    last_complete_at TIMESTAMP WITH TIME ZONE,
    last_complete_ended_at TIMESTAMP WITH TIME ZONE,
    last_complete_seconds DOUBLE PRECISION,
    last_changes_at TIMESTAMP WITH TIME ZONE,
    last_changes_ended_at TIMESTAMP WITH TIME ZONE,
    observed_since TIMESTAMP WITH TIME ZONE,
    history_from TIMESTAMP WITH TIME ZONE,
    retired_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expected_seconds DOUBLE PRECISION,
    next_due_at TIMESTAMP WITH TIME ZONE,
    next_changes_at TIMESTAMP WITH TIME ZONE,
    failing_since TIMESTAMP WITH TIME ZONE,
    failures INTEGER DEFAULT 0 NOT NULL,
    error_kind TEXT,
    projects_asked_at TIMESTAMP WITH TIME ZONE,
    login TEXT[],
    continues TEXT,
    CONSTRAINT pk_sources PRIMARY KEY (source_id),
    UNIQUE (name)
);

COMMENT ON TABLE sources IS 'Where images come from: one cloud, region and project each. Rows are never deleted.';

COMMENT ON COLUMN sources.source_id IS 'Opaque key of the source; never changes.';
COMMENT ON COLUMN sources.name IS 'Name of the source in the configuration; unique.';
COMMENT ON COLUMN sources.kind IS 'Service behind it: glance or ims.';
COMMENT ON COLUMN sources.cloud IS 'Entry of clouds.yaml, where one is named.';
COMMENT ON COLUMN sources.region IS 'Region, as recorded at the first sweep.';
COMMENT ON COLUMN sources.project_id IS 'Project whose view this is, as recorded at the first sweep.';
COMMENT ON COLUMN sources.endpoint IS 'Address of the image service, without credentials.';
COMMENT ON COLUMN sources.last_complete_at IS 'observed_at of the last complete sweep. Unit: UTC.';
COMMENT ON COLUMN sources.last_complete_ended_at IS 'When that sweep ended, or its archive was loaded, by the database''s clock. Unit: UTC.';
COMMENT ON COLUMN sources.last_complete_seconds IS 'How long the last complete sweep took. Unit: seconds.';
COMMENT ON COLUMN sources.last_changes_at IS 'observed_at of the last changes-only sweep that read all that is new, whether it found any or not. Unit: UTC.';
COMMENT ON COLUMN sources.last_changes_ended_at IS 'When that sweep ended, by the database''s clock. Unit: UTC.';
COMMENT ON COLUMN sources.observed_since IS 'observed_at of the first observation. Unit: UTC.';
COMMENT ON COLUMN sources.history_from IS 'History before this moment was pruned; NULL = never. Unit: UTC.';
COMMENT ON COLUMN sources.retired_at IS 'When the source was retired; its images stay. Unit: UTC.';
COMMENT ON COLUMN sources.created_at IS 'When the source was first recorded. Unit: UTC.';
COMMENT ON COLUMN sources.expected_seconds IS 'Expected time between sweeps. Unit: seconds.';
COMMENT ON COLUMN sources.next_due_at IS 'When the daemon sweeps it next. Unit: UTC.';
COMMENT ON COLUMN sources.next_changes_at IS 'When the daemon asks it for changes alone next; NULL = not before a complete sweep. Unit: UTC.';
COMMENT ON COLUMN sources.failing_since IS 'Start of the first of the failed or partial runs in a row, changes-only sweeps left out; NULL = the last was complete. Unit: UTC.';
COMMENT ON COLUMN sources.failures IS 'Runs in a row that were not complete.';
COMMENT ON COLUMN sources.error_kind IS 'Kind of the last failure: login, network, throttled, upstream, bad_listing, deadline, database, config; NULL = the last run was complete.';
COMMENT ON COLUMN sources.projects_asked_at IS 'When names of projects were last asked for. Unit: UTC.';
COMMENT ON COLUMN sources.login IS 'What the logins reached that stored images were seen with (project, roles and the like): later ones are compared with it. NULL = not known. Internal.';
COMMENT ON COLUMN sources.continues IS 'source_id in the archives that the source was made of. Internal.';

CREATE TABLE images (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    name TEXT,
    status TEXT,
    visibility TEXT,
    owner TEXT,
    protected BOOLEAN,
    hidden BOOLEAN,
    container_format TEXT,
    disk_format TEXT,
    size BIGINT,
    virtual_size BIGINT,
    image_size BIGINT,
    checksum TEXT,
    hash_algo TEXT,
    hash_value TEXT,
    min_ram INTEGER,
    min_disk INTEGER,
    max_ram INTEGER,
    image_type TEXT,
    image_kind TEXT,
    platform TEXT,
    os_type TEXT,
    os_version TEXT,
    os_bit INTEGER,
    architecture TEXT,
    virtual_env_type TEXT,
    hw_firmware_type TEXT,
    image_source_type TEXT,
    is_registered BOOLEAN,
    is_off_shelved BOOLEAN,
    is_whole_image BOOLEAN,
    lazy_loading BOOLEAN,
    description TEXT,
    parent_image_id TEXT,
    source_server_id TEXT,
    backup_id TEXT,
    product_code TEXT,
    data_origin TEXT,
    encryption_key_id TEXT,
    enterprise_project_id TEXT,
    file_url TEXT,
    self_url TEXT,
    schema_url TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deletion_reason TEXT,
    unlisted_since TIMESTAMP WITH TIME ZONE,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    tags TEXT[],
    capabilities TEXT[],
    properties JSONB,
    CONSTRAINT pk_images PRIMARY KEY (source_id, image_id)
)
 WITH (fillfactor = 90);

CREATE INDEX ix_images_updated_at ON images (source_id, updated_at) WHERE deleted_at IS NULL;

-- Pages show the newest images first.
CREATE INDEX ix_images_created ON images (created_at DESC NULLS LAST) WHERE deleted_at IS NULL;

-- Images that are not just active and offered: few, which image_lifecycle and equivalent_images look at one by one.
CREATE INDEX ix_images_apart ON images (source_id, image_id) WHERE created_at IS NULL OR status IS DISTINCT FROM 'active'
    OR hidden OR is_off_shelved OR unlisted_since IS NOT NULL OR protected AND 'golden' = ANY (tags);

CREATE INDEX ix_images_market ON images (source_id, image_id) WHERE image_type = 'market';

COMMENT ON TABLE images IS 'One row per image ever seen; live = deleted_at IS NULL.';

COMMENT ON COLUMN images.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN images.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN images.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN images.status IS 'Status as the cloud last said it; an open set (queued, active, ...). Upstream: status.';
COMMENT ON COLUMN images.visibility IS 'Who may see the image: public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN images.owner IS 'Project (tenant) that owns the image. Upstream: owner.';
COMMENT ON COLUMN images.protected IS 'True: the cloud refuses to delete the image. Upstream: protected.';
COMMENT ON COLUMN images.hidden IS 'True: left out of default listings, usable by id. Upstream: os_hidden.';
COMMENT ON COLUMN images.container_format IS 'Container format, e.g. bare. Upstream: container_format.';
COMMENT ON COLUMN images.disk_format IS 'Disk format; an open set (qcow2, raw, zvhd2, iso, ...). Upstream: disk_format.';
COMMENT ON COLUMN images.size IS 'Size as delivered; the Image Management Service sends a placeholder. Unit: bytes. Upstream: size.';
COMMENT ON COLUMN images.virtual_size IS 'Size of the virtual disk as delivered. Unit: bytes. Upstream: virtual_size.';
COMMENT ON COLUMN images.image_size IS 'Size of the image file. Unit: bytes. Upstream: __image_size.';
COMMENT ON COLUMN images.checksum IS 'Checksum as delivered; never an identity. Upstream: checksum.';
COMMENT ON COLUMN images.hash_algo IS 'Algorithm of hash_value, e.g. sha512. Upstream: os_hash_algo.';
COMMENT ON COLUMN images.hash_value IS 'Hash of the image data by hash_algo. Upstream: os_hash_value.';
COMMENT ON COLUMN images.min_ram IS 'Smallest memory that runs the image. Unit: MB. Upstream: min_ram.';
COMMENT ON COLUMN images.min_disk IS 'Smallest disk that holds the image. Unit: GB. Upstream: min_disk.';
COMMENT ON COLUMN images.max_ram IS 'Largest memory that the image supports; 0 = no limit. Unit: MB. Upstream: max_ram.';
COMMENT ON COLUMN images.image_type IS 'Kind in the Image Management Service: gold, private, shared, market. Upstream: __imagetype.';
COMMENT ON COLUMN images.image_kind IS 'Kind in Glance: snapshot, backup; nothing for an uploaded image. Upstream: image_type.';
COMMENT ON COLUMN images.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN images.os_type IS 'Operating system type: Linux, Windows, Other, ... Upstream: __os_type, os_type.';
COMMENT ON COLUMN images.os_version IS 'Operating system version; text, never a number. Upstream: __os_version, os_version.';
COMMENT ON COLUMN images.os_bit IS 'Word width of the operating system. Unit: bit. Upstream: __os_bit.';
COMMENT ON COLUMN images.architecture IS 'Processor architecture: x86_64, aarch64, ... Upstream: architecture.';
COMMENT ON COLUMN images.virtual_env_type IS 'Where it is used: FusionCompute, Ironic, DataImage, IsoImage. Upstream: virtual_env_type.';
COMMENT ON COLUMN images.hw_firmware_type IS 'Boot mode: bios or uefi. Upstream: hw_firmware_type.';
COMMENT ON COLUMN images.image_source_type IS 'Storage type behind the image, e.g. uds. Upstream: __image_source_type.';
COMMENT ON COLUMN images.is_registered IS 'True: registered and so ready for use. Upstream: __isregistered.';
COMMENT ON COLUMN images.is_off_shelved IS 'True: taken off the marketplace''s shelf. Upstream: __is_offshelved.';
COMMENT ON COLUMN images.is_whole_image IS 'True: an image of a whole server, with its data disks. Upstream: __whole_image.';
COMMENT ON COLUMN images.lazy_loading IS 'True: supports lazy loading. Upstream: __lazyloading.';
COMMENT ON COLUMN images.description IS 'Description by the image''s owner. Upstream: __description, description.';
COMMENT ON COLUMN images.parent_image_id IS 'Image this one was made from; may be gone, or be the image itself. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN images.source_server_id IS 'Server this image was made from (also from __data_origin where it reads instance,ID). Upstream: instance_uuid.';
COMMENT ON COLUMN images.backup_id IS 'Backup this image was made from. Upstream: __backup_id.';
COMMENT ON COLUMN images.product_code IS 'Product of the marketplace. Upstream: __productcode.';
COMMENT ON COLUMN images.data_origin IS 'Where the data came from, as delivered. Upstream: __data_origin.';
COMMENT ON COLUMN images.encryption_key_id IS 'Key that encrypts the image. Upstream: __system__cmkid, cinder_encryption_key_id.';
COMMENT ON COLUMN images.enterprise_project_id IS 'Enterprise project; 0 = default. Upstream: enterprise_project_id.';
COMMENT ON COLUMN images.file_url IS 'Path of the image file; opens no revision. Upstream: file.';
COMMENT ON COLUMN images.self_url IS 'Path of the image; opens no revision. Upstream: self.';
COMMENT ON COLUMN images.schema_url IS 'Path of the image''s schema; opens no revision. Upstream: schema.';
COMMENT ON COLUMN images.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN images.updated_at IS 'When the cloud says the image was last updated. Unit: UTC. Upstream: updated_at.';
COMMENT ON COLUMN images.deleted_at IS 'When the image was deleted; NULL = live. Upstream: deleted_at, where reported. Unit: UTC.';
COMMENT ON COLUMN images.deletion_reason IS 'How deletion is known: reported, not_found, no_access, not_listed.';
COMMENT ON COLUMN images.unlisted_since IS 'Live, but not listed by complete sweeps since then. Unit: UTC.';
COMMENT ON COLUMN images.first_seen_at IS 'observed_at of the image''s first evidence. Unit: UTC.';
COMMENT ON COLUMN images.last_changed_at IS 'observed_at of the image''s open revision. Unit: UTC.';
COMMENT ON COLUMN images.tags IS 'Tags as delivered, sorted; the rows of image_tags in one value.';
COMMENT ON COLUMN images.capabilities IS 'Supported capabilities, sorted; from image_capabilities.';
COMMENT ON COLUMN images.properties IS 'Keys without a column of their own; the rows of image_properties.';

CREATE TABLE image_state (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    raw_hash BYTEA,
    content_hash BYTEA,
    live BOOLEAN NOT NULL,
    distro TEXT,
    release TEXT,
    arch TEXT,
    purpose TEXT,
    family TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    owner_hash BIGINT,
    CONSTRAINT pk_image_state PRIMARY KEY (source_id, image_id)
)
 WITH (fillfactor = 90);

COMMENT ON TABLE image_state IS 'Fingerprints, what image_os tells, and what images are compared by; narrow, so that sweeps and views read little. Internal.';

COMMENT ON COLUMN image_state.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_state.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_state.raw_hash IS 'Hash of the record''s bytes as sent; a cache, NULL = compare in full.';
COMMENT ON COLUMN image_state.content_hash IS 'Hash of the canonical form; NULL = the last evidence is of absence.';
COMMENT ON COLUMN image_state.live IS 'False: the last evidence says deleted.';
COMMENT ON COLUMN image_state.distro IS 'Operating system, as in image_os.distro.';
COMMENT ON COLUMN image_state.release IS 'Its release, as in image_os.release.';
COMMENT ON COLUMN image_state.arch IS 'Processor architecture, as in image_os.arch.';
COMMENT ON COLUMN image_state.purpose IS 'As in image_os.purpose; NULL = rules were not applied yet, catalog remap does it.';
COMMENT ON COLUMN image_state.family IS 'Family of the name, by image_family_rules; NULL = no name.';
COMMENT ON COLUMN image_state.created_at IS 'As in images.created_at. Unit: UTC.';
COMMENT ON COLUMN image_state.owner_hash IS 'Hash of the owner; NULL = a snapshot or a backup, which is of no line.';

CREATE TABLE image_tags (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_image_tags PRIMARY KEY (source_id, image_id, tag)
);

CREATE INDEX ix_image_tags_tag ON image_tags (tag, source_id);

COMMENT ON TABLE image_tags IS 'Tags of images, each once.';

COMMENT ON COLUMN image_tags.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_tags.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_tags.tag IS 'Exactly as delivered. Upstream: tags.';

CREATE TABLE image_capabilities (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    capability TEXT COLLATE "C" NOT NULL,
    supported BOOLEAN NOT NULL,
    raw_value TEXT,
    models TEXT[],
    CONSTRAINT pk_image_capabilities PRIMARY KEY (source_id, image_id, capability)
);

CREATE INDEX ix_image_capabilities_capability ON image_capabilities (capability, supported);

COMMENT ON TABLE image_capabilities IS 'Capability flags of images; no row = not delivered.';

COMMENT ON COLUMN image_capabilities.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_capabilities.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_capabilities.capability IS 'Upstream key without __support_.';
COMMENT ON COLUMN image_capabilities.supported IS 'Whether the image supports it, inversion applied.';
COMMENT ON COLUMN image_capabilities.raw_value IS 'Value as delivered.';
COMMENT ON COLUMN image_capabilities.models IS 'Models named, where the value is a list of models.';

CREATE TABLE capabilities (
    capability TEXT COLLATE "C" NOT NULL,
    upstream_key TEXT NOT NULL,
    value_kind TEXT NOT NULL,
    inverted BOOLEAN NOT NULL,
    family TEXT NOT NULL,
    description TEXT,
    CONSTRAINT pk_capabilities PRIMARY KEY (capability)
);

COMMENT ON TABLE capabilities IS 'Capabilities known; new ones join when first seen.';

COMMENT ON COLUMN capabilities.capability IS 'Upstream key without __support_.';
COMMENT ON COLUMN capabilities.upstream_key IS 'Key as the cloud spells it.';
COMMENT ON COLUMN capabilities.value_kind IS 'flag or models.';
COMMENT ON COLUMN capabilities.inverted IS 'True: the upstream true means not supported.';
COMMENT ON COLUMN capabilities.family IS 'hypervisor, gpu, fpga, hana, network, size, cpu, agent, cloud_init or other.';
COMMENT ON COLUMN capabilities.description IS 'What it means.';

CREATE TABLE image_properties (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value JSONB NOT NULL,
    CONSTRAINT pk_image_properties PRIMARY KEY (source_id, image_id, name)
);

COMMENT ON TABLE image_properties IS 'Every key that has no column, tag or capability of its own.';

COMMENT ON COLUMN image_properties.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_properties.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_properties.name IS 'Upstream key.';
COMMENT ON COLUMN image_properties.value IS 'JSON value as delivered.';

CREATE TABLE runs (
    source_id TEXT COLLATE "C" NOT NULL,
    run_id UUID NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT DEFAULT 'complete' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    pages BIGINT DEFAULT 0 NOT NULL,
    requests BIGINT DEFAULT 0 NOT NULL,
    retries BIGINT DEFAULT 0 NOT NULL,
    listed BIGINT DEFAULT 0 NOT NULL,
    inserted BIGINT DEFAULT 0 NOT NULL,
    updated BIGINT DEFAULT 0 NOT NULL,
    unchanged BIGINT DEFAULT 0 NOT NULL,
    deleted BIGINT DEFAULT 0 NOT NULL,
    restored BIGINT DEFAULT 0 NOT NULL,
    rejected BIGINT DEFAULT 0 NOT NULL,
    unlisted BIGINT DEFAULT 0 NOT NULL,
    held BIGINT DEFAULT 0 NOT NULL,
    looked_up BIGINT DEFAULT 0 NOT NULL,
    revised BIGINT DEFAULT 0 NOT NULL,
    error_kind TEXT,
    error TEXT,
    note TEXT,
    file TEXT,
    CONSTRAINT pk_runs PRIMARY KEY (source_id, run_id)
);

CREATE INDEX ix_runs_started_at ON runs (source_id, started_at);

COMMENT ON TABLE runs IS 'The ledger of runs.';

COMMENT ON COLUMN runs.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN runs.run_id IS 'Identity of the run.';
COMMENT ON COLUMN runs.kind IS 'sync or backfill.';
COMMENT ON COLUMN runs.scope IS 'complete: asked for the whole listing; changes: only for what is new.';
COMMENT ON COLUMN runs.started_at IS 'Start of the run. Unit: UTC.';
COMMENT ON COLUMN runs.observed_at IS 'Moment the listing speaks of. Unit: UTC.';
COMMENT ON COLUMN runs.finished_at IS 'End of the run; NULL = under way. Unit: UTC.';
COMMENT ON COLUMN runs.outcome IS 'complete, partial or failed; NULL = under way.';
COMMENT ON COLUMN runs.pages IS 'Pages read.';
COMMENT ON COLUMN runs.requests IS 'Requests sent.';
COMMENT ON COLUMN runs.retries IS 'Requests repeated.';
COMMENT ON COLUMN runs.listed IS 'Images listed, each once.';
COMMENT ON COLUMN runs.inserted IS 'Images first seen.';
COMMENT ON COLUMN runs.updated IS 'Images changed.';
COMMENT ON COLUMN runs.unchanged IS 'Images listed as they were.';
COMMENT ON COLUMN runs.deleted IS 'Images newly deleted.';
COMMENT ON COLUMN runs.restored IS 'Images live again.';
COMMENT ON COLUMN runs.rejected IS 'Records that could not be stored as images.';
COMMENT ON COLUMN runs.unlisted IS 'Images live but not listed.';
COMMENT ON COLUMN runs.held IS 'Deletions held back.';
COMMENT ON COLUMN runs.looked_up IS 'Look-ups by id.';
COMMENT ON COLUMN runs.revised IS 'Revisions before the present that were added, taken out or dated anew by what came late.';
COMMENT ON COLUMN runs.error_kind IS 'login, network, throttled, upstream, bad_listing, deadline, database, config.';
COMMENT ON COLUMN runs.error IS 'One line.';
COMMENT ON COLUMN runs.note IS 'Why the run could not prove what is missing, one line.';
COMMENT ON COLUMN runs.file IS 'File that a backfill read, as it was named; of several the first and how many more. NULL = a sweep.';

CREATE TABLE run_passes (
    source_id TEXT COLLATE "C" NOT NULL,
    run_id UUID NOT NULL,
    pass TEXT COLLATE "C" NOT NULL,
    verdict TEXT NOT NULL,
    pages BIGINT DEFAULT 0 NOT NULL,
    records BIGINT DEFAULT 0 NOT NULL,
    last_marker TEXT,
    error TEXT,
    CONSTRAINT pk_run_passes PRIMARY KEY (source_id, run_id, pass)
);

COMMENT ON TABLE run_passes IS 'The passes of a run, each with its verdict.';

COMMENT ON COLUMN run_passes.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN run_passes.run_id IS 'Run that wrote it, as in runs.run_id.';
COMMENT ON COLUMN run_passes.pass IS 'listed, hidden, pending or market.';
COMMENT ON COLUMN run_passes.verdict IS 'complete, truncated or failed.';
COMMENT ON COLUMN run_passes.pages IS 'Pages read.';
COMMENT ON COLUMN run_passes.records IS 'Records read.';
COMMENT ON COLUMN run_passes.last_marker IS 'Last marker sent.';
COMMENT ON COLUMN run_passes.error IS 'One line.';

CREATE TABLE rejected_records (
    source_id TEXT COLLATE "C" NOT NULL,
    record_hash BYTEA NOT NULL,
    image_id TEXT COLLATE "C",
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    first_run_id UUID NOT NULL,
    last_run_id UUID NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_rejected_records PRIMARY KEY (source_id, record_hash)
);

COMMENT ON TABLE rejected_records IS 'Records that could not be stored as images, kept whole.';

COMMENT ON COLUMN rejected_records.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN rejected_records.record_hash IS 'Hash of the record''s bytes.';
COMMENT ON COLUMN rejected_records.image_id IS 'Id of the image, where known.';
COMMENT ON COLUMN rejected_records.reason IS 'Why it could not be stored.';
COMMENT ON COLUMN rejected_records.record IS 'The record as text; NUL shown as U+FFFD.';
COMMENT ON COLUMN rejected_records.first_run_id IS 'First run that met it.';
COMMENT ON COLUMN rejected_records.last_run_id IS 'Last run that met it.';
COMMENT ON COLUMN rejected_records.count IS 'Runs that met it.';

CREATE TABLE rejections (
    source_id TEXT COLLATE "C" NOT NULL,
    record_hash BYTEA NOT NULL,
    run_id UUID NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rejections PRIMARY KEY (source_id, record_hash, run_id)
);

COMMENT ON TABLE rejections IS 'Which run met which rejected record: first, last and count follow from it. Internal.';

COMMENT ON COLUMN rejections.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN rejections.record_hash IS 'As in rejected_records.record_hash.';
COMMENT ON COLUMN rejections.run_id IS 'Run that met the record.';
COMMENT ON COLUMN rejections.observed_at IS 'When the run observed. Unit: UTC.';

CREATE TABLE forgotten_runs (
    source_id TEXT COLLATE "C" NOT NULL,
    run_id UUID NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    forgotten_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_forgotten_runs PRIMARY KEY (source_id, run_id)
);

COMMENT ON TABLE forgotten_runs IS 'Runs that backfill --forget took out: their archives do not come back unasked. Internal.';

COMMENT ON COLUMN forgotten_runs.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN forgotten_runs.run_id IS 'Run whose observation somebody took out.';
COMMENT ON COLUMN forgotten_runs.observed_at IS 'When it observed. Unit: UTC.';
COMMENT ON COLUMN forgotten_runs.forgotten_at IS 'When it was taken out. Unit: UTC.';

CREATE TABLE loaded_files (
    source_id TEXT COLLATE "C" NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    file_hash BYTEA NOT NULL,
    run_id UUID NOT NULL,
    CONSTRAINT pk_loaded_files PRIMARY KEY (source_id, observed_at, file_hash, run_id)
);

COMMENT ON TABLE loaded_files IS 'Files that were loaded: they do not come back unasked when their runs are forgotten. Internal.';

COMMENT ON COLUMN loaded_files.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN loaded_files.observed_at IS 'When the run observed. Unit: UTC.';
COMMENT ON COLUMN loaded_files.file_hash IS 'Hash of the records of a file, whatever is ignored or redacted.';
COMMENT ON COLUMN loaded_files.run_id IS 'Run of a backfill that was made of the file, among others.';

CREATE TABLE held_deletions (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    run_id UUID NOT NULL,
    unlisted_since TIMESTAMP WITH TIME ZONE,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decision TEXT COLLATE "C" NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by TEXT,
    reason TEXT DEFAULT 'limit' NOT NULL,
    CONSTRAINT pk_held_deletions PRIMARY KEY (source_id, image_id, run_id)
);

CREATE INDEX ix_held_deletions_decision ON held_deletions (source_id, decision);

COMMENT ON TABLE held_deletions IS 'Deletions that are held back, and what became of them.';

COMMENT ON COLUMN held_deletions.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN held_deletions.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN held_deletions.run_id IS 'Run that first held it.';
COMMENT ON COLUMN held_deletions.unlisted_since IS 'Since when the image is not listed. Unit: UTC.';
COMMENT ON COLUMN held_deletions.observed_at IS 'Observation that first held it. Unit: UTC.';
COMMENT ON COLUMN held_deletions.decision IS 'open, approved, kept, returned, or deleted: later evidence proved it.';
COMMENT ON COLUMN held_deletions.decided_at IS 'When decided. Unit: UTC.';
COMMENT ON COLUMN held_deletions.decided_by IS 'Who decided.';
COMMENT ON COLUMN held_deletions.reason IS 'limit; login_changed: the login reaches less than before, or may not see it; adopted: it did so when the source was adopted.';

CREATE TABLE kept_images (
    source_id TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_kept_images PRIMARY KEY (source_id, image_id, kept_at)
);

COMMENT ON TABLE kept_images IS 'Decisions to keep an image, for what is loaded after them. Internal.';

COMMENT ON COLUMN kept_images.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN kept_images.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN kept_images.seen_at IS 'Last evidence of the image before its deletion was held. Unit: UTC.';
COMMENT ON COLUMN kept_images.kept_at IS 'When somebody decided: absences observed since then up to here prove nothing. Unit: UTC.';

CREATE TABLE projects (
    source_id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    name TEXT,
    domain_name TEXT,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (source_id, project_id)
);

COMMENT ON TABLE projects IS 'Names of owners, where the cloud gives them.';

COMMENT ON COLUMN projects.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN projects.project_id IS 'Id of the project, as in images.owner.';
COMMENT ON COLUMN projects.name IS 'Name of the project.';
COMMENT ON COLUMN projects.domain_name IS 'Name of its domain.';
COMMENT ON COLUMN projects.seen_at IS 'When last read. Unit: UTC.';

CREATE TABLE image_family_rules (
    rank INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    family TEXT NOT NULL,
    builtin BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_image_family_rules PRIMARY KEY (rank)
);

COMMENT ON TABLE image_family_rules IS 'How a name''s family is told; your own rules take ranks below 1000.';

COMMENT ON COLUMN image_family_rules.rank IS 'Order; the lowest that matches decides.';
COMMENT ON COLUMN image_family_rules.pattern IS 'Regular expression on the name.';
COMMENT ON COLUMN image_family_rules.family IS 'Family: a replacement that may use the pattern''s groups.';
COMMENT ON COLUMN image_family_rules.builtin IS 'True: came with the product.';

CREATE TABLE leases (
    source_id TEXT COLLATE "C" NOT NULL,
    holder UUID,
    fence BIGINT NOT NULL,
    writes BIGINT DEFAULT 0 NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_leases PRIMARY KEY (source_id)
);

COMMENT ON TABLE leases IS 'Who may write a source. Internal.';

COMMENT ON COLUMN leases.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN leases.holder IS 'Run that holds the source; NULL = free.';
COMMENT ON COLUMN leases.fence IS 'Grows with each holder.';
COMMENT ON COLUMN leases.writes IS 'Grows with each transaction of a holder.';
COMMENT ON COLUMN leases.expires_at IS 'End of the lease by the database''s clock. Unit: UTC.';

COMMENT ON TABLE catalog_schema_version IS 'Version of this schema: one row, written by db upgrade. Internal.';
COMMENT ON COLUMN catalog_schema_version.version_num IS 'Newest migration that was run.';
