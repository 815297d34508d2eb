-- What was: image_revisions, images_as_of, image_changes, status_durations, deleted_images.

-- The documents stand apart because they are wide; the join is made only if `document` is asked for.
CREATE VIEW image_revisions AS
SELECT
    r.source_id,
    r.image_id,
    r.valid_from,
    r.valid_to,
    r.observed_at,
    r.recorded_at,
    r.change,
    r.changed,
    d.document,
    r.run_id
FROM revisions AS r
LEFT JOIN revision_documents AS d
    ON d.source_id = r.source_id AND d.image_id = r.image_id AND d.observed_at = r.observed_at;

COMMENT ON VIEW image_revisions IS 'Every revision of every image, one row each; valid_from strictly increases within an image.';
COMMENT ON COLUMN image_revisions.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_revisions.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_revisions.valid_from IS 'Start of validity: the cloud''s own time where it can be trusted, else observed_at. Unit: UTC.';
COMMENT ON COLUMN image_revisions.valid_to IS 'Start of the next revision; NULL = the last one. Unit: UTC.';
COMMENT ON COLUMN image_revisions.observed_at IS 'Observation in which the revision begins. Unit: UTC.';
COMMENT ON COLUMN image_revisions.recorded_at IS 'When the row was written. Unit: UTC.';
COMMENT ON COLUMN image_revisions.change IS 'created (first known), updated, replaced (another created_at: a new image under the old id), deleted (also when first known so), restored.';
COMMENT ON COLUMN image_revisions.changed IS 'What differs from the revision before: {key: [old, new]}, upstream keys.';
COMMENT ON COLUMN image_revisions.document IS 'Canonical form of the record; NULL = the image was absent.';
COMMENT ON COLUMN image_revisions.run_id IS 'Run that wrote it, as in runs.run_id.';


-- Raises; never returns. A set-returning function over the row type of `revisions`, so that images_as_of can
-- call it once for each source that it would answer for wrongly, after the caller's conditions on `source`.
CREATE FUNCTION history_is_pruned(source text, history_from timestamptz, moment timestamptz)
RETURNS SETOF revisions
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1
AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = concat('history of source "', source, '" before ', history_from, ' was pruned; asked for ', moment),
        ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Ask for a moment from sources.history_from on, or leave the source out.';
END
$$;

COMMENT ON FUNCTION history_is_pruned(text, timestamptz, timestamptz) IS
    'Raises the error of images_as_of for a moment before sources.history_from. Internal.';


-- A type with a name, because RETURNS TABLE can't say that keys are sorted by their bytes: conditions on them
-- would not reach the indexes.
CREATE TYPE image_as_of AS (
    source_id text COLLATE "C", image_id text COLLATE "C", name text, status text, visibility text, owner text,
    protected boolean, hidden boolean, container_format text, disk_format text, size bigint,
    virtual_size bigint, image_size bigint, checksum text, hash_algo text, hash_value text,
    min_ram integer, min_disk integer, max_ram integer, image_type text, image_kind text,
    platform text, os_type text, os_version text, os_bit integer, architecture text,
    virtual_env_type text, hw_firmware_type text, image_source_type text, is_registered boolean,
    is_off_shelved boolean, is_whole_image boolean, lazy_loading boolean, description text,
    parent_image_id text, source_server_id text, backup_id text, product_code text,
    data_origin text, encryption_key_id text, enterprise_project_id text, file_url text,
    self_url text, schema_url text, created_at timestamptz, updated_at timestamptz,
    deleted_at timestamptz, deletion_reason text, unlisted_since timestamptz,
    first_seen_at timestamptz, last_changed_at timestamptz,
    source text COLLATE "C", tags text[], capabilities text[], properties jsonb, valid_from timestamptz, observed boolean
);

COMMENT ON TYPE image_as_of IS 'A row of images_as_of.';


-- The catalog as of a moment. The body is parsed here (BEGIN ATOMIC), so no search_path can turn it to other
-- tables, and it has neither SET nor SECURITY DEFINER, so that PostgreSQL inlines it: conditions on source_id,
-- source or image_id reach the indexes of `revisions`, and columns not asked for are not read.
CREATE FUNCTION images_as_of(moment timestamptz) RETURNS SETOF image_as_of
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
    SELECT
        r.source_id, r.image_id, r.name, r.status, r.visibility, r.owner, r.protected, r.hidden,
        r.container_format, r.disk_format, r.size, r.virtual_size, r.image_size, r.checksum,
        r.hash_algo, r.hash_value, r.min_ram, r.min_disk, r.max_ram, r.image_type, r.image_kind,
        r.platform, r.os_type, r.os_version, r.os_bit, r.architecture, r.virtual_env_type,
        r.hw_firmware_type, r.image_source_type, r.is_registered, r.is_off_shelved,
        r.is_whole_image, r.lazy_loading, r.description, r.parent_image_id, r.source_server_id,
        r.backup_id, r.product_code, r.data_origin, r.encryption_key_id, r.enterprise_project_id,
        NULL::text AS file_url, NULL::text AS self_url, NULL::text AS schema_url, r.created_at,
        r.updated_at, r.deleted_at, r.deletion_reason, NULL::timestamptz AS unlisted_since,
        i.first_seen_at, r.observed_at AS last_changed_at,
        s.name AS source, r.tags, r.capabilities, r.properties, r.valid_from,
        coalesce(s.observed_since <= moment, false) AS observed
    FROM revisions AS r
    JOIN sources AS s ON s.source_id = r.source_id
    LEFT JOIN images AS i ON i.source_id = r.source_id AND i.image_id = r.image_id
    WHERE r.valid_from <= moment AND (r.valid_to IS NULL OR r.valid_to > moment)
    UNION ALL
    -- No rows, but an error: what was pruned must not look like an empty catalog.
    SELECT
        s.source_id, lost.image_id, lost.name, lost.status, lost.visibility, lost.owner,
        lost.protected, lost.hidden, lost.container_format, lost.disk_format, lost.size,
        lost.virtual_size, lost.image_size, lost.checksum, lost.hash_algo, lost.hash_value,
        lost.min_ram, lost.min_disk, lost.max_ram, lost.image_type, lost.image_kind, lost.platform,
        lost.os_type, lost.os_version, lost.os_bit, lost.architecture, lost.virtual_env_type,
        lost.hw_firmware_type, lost.image_source_type, lost.is_registered, lost.is_off_shelved,
        lost.is_whole_image, lost.lazy_loading, lost.description, lost.parent_image_id,
        lost.source_server_id, lost.backup_id, lost.product_code, lost.data_origin,
        lost.encryption_key_id, lost.enterprise_project_id, NULL, NULL, NULL, lost.created_at,
        lost.updated_at, lost.deleted_at, lost.deletion_reason, lost.deleted_at,
        lost.observed_at, lost.observed_at,
        s.name, lost.tags, lost.capabilities, lost.properties, lost.valid_from, lost.reported
    FROM sources AS s
    CROSS JOIN LATERAL history_is_pruned(s.name, s.history_from, moment) AS lost
    WHERE s.history_from > moment;
END;

COMMENT ON FUNCTION images_as_of(timestamptz) IS
    'The catalog as of a moment: one row for each image with a revision at or before it, deleted ones included (deleted_at IS NULL = live then). The columns of images, then source (name), tags, capabilities (supported ones), properties, valid_from, and observed: false before the source''s first observation, where the cloud''s own times tell. unlisted_since and the three URLs are NULL. Before sources.history_from of a source it is asked about it raises an error.';


-- A JSON value as people read it: a text without quotes, a list as "a, b".
CREATE FUNCTION plain_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE jsonb_typeof(value)
        WHEN 'array' THEN (
            SELECT string_agg(item, ', ' ORDER BY place)
            FROM jsonb_array_elements_text(value) WITH ORDINALITY AS items (item, place)
        )
        ELSE value #>> '{}'
    END;
END;

COMMENT ON FUNCTION plain_text(jsonb) IS 'A JSON value as plain text; a list as "a, b", an empty one as NULL.';


-- A restored or deleted revision has its row without a field, and one for each key that it changed besides.
CREATE VIEW image_changes AS
SELECT
    r.valid_from AS changed_at,
    r.recorded_at,
    s.name AS source,
    r.image_id,
    r.name,
    r.change,
    part.field,
    nullif(r.changed -> part.field -> 0, 'null') AS old_value,
    nullif(r.changed -> part.field -> 1, 'null') AS new_value,
    r.run_id,
    plain_text(r.changed -> part.field -> 0) AS old_text,
    plain_text(r.changed -> part.field -> 1) AS new_text,
    r.observed_at,
    r.owner,
    p.name AS owner_name,
    CASE WHEN r.change = 'deleted' AND part.field IS NULL THEN r.deletion_reason END AS deletion_reason,
    r.tags,
    r.source_id
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
LEFT JOIN projects AS p ON p.source_id = r.source_id AND p.project_id = r.owner
CROSS JOIN LATERAL unnest(
    CASE WHEN r.change IN ('updated', 'replaced') THEN '{}' ELSE ARRAY[NULL::text] END
    || ARRAY(SELECT jsonb_object_keys(r.changed))
) AS part (field);

COMMENT ON VIEW image_changes IS 'What happened: one row per changed key; one with field NULL for created, deleted, restored.';
COMMENT ON COLUMN image_changes.changed_at IS 'When it changed: valid_from of the revision. Unit: UTC.';
COMMENT ON COLUMN image_changes.recorded_at IS 'When the catalog wrote it down. Unit: UTC.';
COMMENT ON COLUMN image_changes.source IS 'Name of the source.';
COMMENT ON COLUMN image_changes.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_changes.name IS 'Name of the image after the change. Upstream: name.';
COMMENT ON COLUMN image_changes.change IS 'created, updated, replaced (another created_at: a new image under the old id), deleted, restored.';
COMMENT ON COLUMN image_changes.field IS 'Upstream key that changed; NULL = the image as a whole was created, deleted or restored.';
COMMENT ON COLUMN image_changes.old_value IS 'Value before, as JSON; NULL = there was none.';
COMMENT ON COLUMN image_changes.new_value IS 'Value after, as JSON; NULL = there is none.';
COMMENT ON COLUMN image_changes.run_id IS 'Run that wrote it, as in runs.run_id.';
COMMENT ON COLUMN image_changes.old_text IS 'Value before, as plain text, a list as "a, b"; NULL = there was none.';
COMMENT ON COLUMN image_changes.new_text IS 'Value after, as plain text, a list as "a, b"; NULL = there is none.';
COMMENT ON COLUMN image_changes.observed_at IS 'Observation that showed the change. Unit: UTC.';
COMMENT ON COLUMN image_changes.owner IS 'Project that owned the image after the change. Upstream: owner.';
COMMENT ON COLUMN image_changes.owner_name IS 'Name of that project, where the cloud gives it (project_names = true).';
COMMENT ON COLUMN image_changes.deletion_reason IS 'Of a deletion, in the row without a field: reported, not_found, no_access, not_listed.';
COMMENT ON COLUMN image_changes.tags IS 'Tags after the change, sorted. Upstream: tags.';
COMMENT ON COLUMN image_changes.source_id IS 'Key of the source, for joins with the tables.';


CREATE VIEW status_durations AS
SELECT
    s.name AS source,
    h.image_id,
    i.name,
    h.status,
    h.valid_from AS entered_at,
    h.valid_to AS left_at,
    extract(epoch FROM coalesce(h.valid_to, now()) - h.valid_from)::double precision AS seconds,
    h.source_id
FROM status_history AS h
JOIN sources AS s ON s.source_id = h.source_id
LEFT JOIN images AS i ON i.source_id = h.source_id AND i.image_id = h.image_id;

COMMENT ON VIEW status_durations IS 'How long images stayed in each status: one row per status period, deleted included.';
COMMENT ON COLUMN status_durations.source IS 'Name of the source.';
COMMENT ON COLUMN status_durations.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN status_durations.name IS 'Name of the image as last known. Upstream: name.';
COMMENT ON COLUMN status_durations.status IS 'Status during the period; deleted while absent, unknown where none was sent. Upstream: status.';
COMMENT ON COLUMN status_durations.entered_at IS 'Start of the period. Unit: UTC.';
COMMENT ON COLUMN status_durations.left_at IS 'End of the period; NULL = still so. Unit: UTC.';
COMMENT ON COLUMN status_durations.seconds IS 'Length of the period, up to now if it lasts. Unit: seconds.';
COMMENT ON COLUMN status_durations.source_id IS 'Key of the source, for joins with the tables.';


-- When a deleted image was last observed alive is derived: sweeps that find an image unchanged write nothing of
-- it. It is the last observation, from its last living revision to the one that ended it, that held the image:
-- a complete one that is not inconclusive about it, or an incomplete one with it in its list.
CREATE VIEW deleted_images AS
SELECT
    s.name AS source,
    i.image_id,
    i.name,
    i.visibility,
    i.owner,
    i.deleted_at,
    coalesce(seen.observed_at, alive.observed_at) AS last_observed_at,
    i.deletion_reason,
    round(extract(epoch FROM i.deleted_at - coalesce(i.created_at, i.first_seen_at)) / 86400, 2)::double precision
        AS lived_days,
    i.platform,
    i.created_at,
    i.first_seen_at,
    p.name AS owner_name,
    i.source_id
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN projects AS p ON p.source_id = i.source_id AND p.project_id = i.owner
LEFT JOIN LATERAL (
    SELECT r.observed_at
    FROM revisions AS r
    WHERE r.source_id = i.source_id AND r.image_id = i.image_id AND r.deleted_at IS NULL
    ORDER BY r.observed_at DESC
    LIMIT 1
) AS alive ON true
LEFT JOIN LATERAL (
    SELECT r.observed_at
    FROM revisions AS r
    WHERE r.source_id = i.source_id AND r.image_id = i.image_id AND r.observed_at > alive.observed_at
    ORDER BY r.observed_at
    LIMIT 1
) AS ended ON true
LEFT JOIN LATERAL (
    SELECT o.observed_at
    FROM observations AS o
    WHERE o.source_id = i.source_id
        AND o.observed_at >= alive.observed_at
        AND o.observed_at < ended.observed_at
        AND CASE WHEN o.complete THEN o.inconclusive_set IS NULL OR NOT EXISTS (
            SELECT FROM id_sets AS d
            WHERE d.source_id = o.source_id AND d.set_id = o.inconclusive_set
                AND d.kind <> 'found' AND i.image_id = ANY (d.image_ids)
        ) ELSE EXISTS (
            SELECT FROM id_sets AS d
            WHERE d.source_id = o.source_id AND d.set_id = o.contained_set
                AND d.kind = 'listed' AND i.image_id = ANY (d.image_ids)
        ) END
    ORDER BY o.observed_at DESC
    LIMIT 1
) AS seen ON true
WHERE i.deleted_at IS NOT NULL;

COMMENT ON VIEW deleted_images IS 'Images that are gone, as last known: when, how that is known, and how long they lived.';
COMMENT ON COLUMN deleted_images.source IS 'Name of the source.';
COMMENT ON COLUMN deleted_images.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN deleted_images.name IS 'Name as last known. Upstream: name.';
COMMENT ON COLUMN deleted_images.visibility IS 'Visibility as last known. Upstream: visibility.';
COMMENT ON COLUMN deleted_images.owner IS 'Owning project as last known. Upstream: owner.';
COMMENT ON COLUMN deleted_images.deleted_at IS 'When it was deleted: the cloud''s time where reported, else the observation that found it gone. Unit: UTC.';
COMMENT ON COLUMN deleted_images.last_observed_at IS 'Last observation that held the image alive; NULL = it was first known as deleted. Unit: UTC.';
COMMENT ON COLUMN deleted_images.deletion_reason IS 'reported (the cloud said so), not_found or no_access (answers to the look-up by id), not_listed (not looked up).';
COMMENT ON COLUMN deleted_images.lived_days IS 'From created_at (where the cloud gives none: first_seen_at) to deleted_at. Unit: days.';
COMMENT ON COLUMN deleted_images.platform IS 'Platform as last known. Upstream: __platform, os_distro.';
COMMENT ON COLUMN deleted_images.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN deleted_images.first_seen_at IS 'First observation that showed the image. Unit: UTC.';
COMMENT ON COLUMN deleted_images.owner_name IS 'Name of that project, where the cloud gives it (project_names = true).';
COMMENT ON COLUMN deleted_images.source_id IS 'Key of the source, for joins with the tables.';
