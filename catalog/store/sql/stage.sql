-- What a merge writes. Most work on one batch: rows of `stage` with run_id and batch; others on images that are named.
-- A stage row is one revision about to be written; `present` rows are also what `images` shall show.
-- {fields}: typed columns that revisions and images share; {links}: the three URLs; {owner_hash}: image_state's.

-- name: fill_copies
-- A revision that takes its content over from another one (its place, its dating or its end changed).
UPDATE stage s
SET ({fields}, tags, capabilities, properties, document)
    = (SELECT {r_fields}, r.tags, r.capabilities, r.properties,
              CASE WHEN s.content_hash IS NOT NULL THEN d.document END
       FROM revisions r
       LEFT JOIN revision_documents d
           ON d.source_id = %(source)s AND d.image_id = r.image_id AND d.observed_at = r.observed_at
       WHERE r.source_id = %(source)s AND r.image_id = s.image_id AND r.observed_at = s.copy_of)
WHERE s.source_id = %(source)s AND s.run_id = %(run)s AND s.batch = %(batch)s AND s.copy_of IS NOT NULL;

-- name: delete_revisions
-- Revisions that go.
DELETE FROM revisions d
USING {named(ids text AS image_id, ats timestamptz AS at)} AS gone
WHERE {shard(d, gone)} AND d.image_id = gone.image_id AND d.observed_at = gone.at;

-- name: delete_documents
-- Documents of revisions that go.
DELETE FROM revision_documents d
USING {named(ids text AS image_id, ats timestamptz AS at)} AS gone
WHERE {shard(d, gone)} AND d.image_id = gone.image_id AND d.observed_at = gone.at;

-- name: delete_periods
-- Status periods that go.
DELETE FROM status_history d
USING {named(ids text AS image_id, ats timestamptz AS at)} AS gone
WHERE {shard(d, gone)} AND d.image_id = gone.image_id AND d.valid_from = gone.at;

-- name: insert_revisions
-- Revisions that come.
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, valid_to, recorded_at, run_id, change,
    changed, content_hash, reported, absence_reason, cloud_time, cloud_deleted_at, period_from, {fields},
    deleted_at, deletion_reason, tags, capabilities, properties)
SELECT source_id, image_id, observed_at, valid_from, valid_to, recorded_at, revision_run_id, change,
    changed, content_hash, reported, absence_reason, cloud_time, cloud_deleted_at, period_from, {fields},
    deleted_at, deletion_reason, tags, capabilities, properties
FROM stage WHERE source_id = %(source)s AND run_id = %(run)s AND batch = %(batch)s;

-- name: insert_documents
-- Their records, where they hold one.
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
SELECT source_id, image_id, observed_at, document
FROM stage WHERE source_id = %(source)s AND run_id = %(run)s AND batch = %(batch)s
    AND document IS NOT NULL AND content_hash IS NOT NULL;

-- name: insert_periods
-- Status periods that begin with them.
INSERT INTO status_history (source_id, image_id, valid_from, status, valid_to, observed_at, recorded_at, run_id)
SELECT source_id, image_id, valid_from,
    CASE WHEN content_hash IS NULL OR reported THEN 'deleted' ELSE coalesce(status, 'unknown') END,
    period_to, observed_at, recorded_at, revision_run_id
FROM stage WHERE source_id = %(source)s AND run_id = %(run)s AND batch = %(batch)s AND starts_period;

-- name: close_revisions
-- New ends of revisions that stay.
UPDATE revisions u SET valid_to = closing.valid_to
FROM {named(ids text AS image_id, ats timestamptz AS at, tos timestamptz AS valid_to)} AS closing
WHERE {shard(u, closing)} AND u.image_id = closing.image_id AND u.observed_at = closing.at;

-- name: close_periods
-- New ends of status periods that stay.
UPDATE status_history u SET valid_to = closing.valid_to
FROM {named(ids text AS image_id, ats timestamptz AS at, tos timestamptz AS valid_to)} AS closing
WHERE {shard(u, closing)} AND u.image_id = closing.image_id AND u.valid_from = closing.at;

-- name: update_images
-- Links follow with a record of their own; content that was taken over leaves them alone.
UPDATE images i
SET ({fields}, deleted_at, deletion_reason, unlisted_since, first_seen_at, last_changed_at,
     tags, capabilities, properties, {links})
    = ({s_fields}, s.deleted_at, s.deletion_reason, s.unlisted_since,
       coalesce(s.first_seen_at, i.first_seen_at), s.observed_at, s.tags, s.capabilities, s.properties,
       {kept_links})
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present
    AND {shard(i, s)} AND i.image_id = s.image_id;

-- name: insert_images
-- Images that are new.
INSERT INTO images (source_id, image_id, {fields}, {links}, deleted_at, deletion_reason, unlisted_since,
    first_seen_at, last_changed_at, tags, capabilities, properties)
SELECT source_id, image_id, {fields}, {links}, deleted_at, deletion_reason, unlisted_since,
    coalesce(first_seen_at, observed_at), observed_at, tags, capabilities, properties
FROM stage WHERE source_id = %(source)s AND run_id = %(run)s AND batch = %(batch)s AND present
ON CONFLICT DO NOTHING;

-- name: delete_tags
-- Tags that an image lost.
DELETE FROM image_tags t USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND {shard(t, s)} AND t.image_id = s.image_id AND NOT (t.tag = ANY (s.tags));

-- name: insert_tags
-- Tags that an image got.
INSERT INTO image_tags (source_id, image_id, tag)
SELECT s.source_id, s.image_id, tag
FROM stage s, unnest(s.tags) AS tag
WHERE s.source_id = %(source)s AND s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND (SELECT true FROM image_tags t
        WHERE t.source_id = %(source)s AND t.image_id = s.image_id AND t.tag = tag.tag) IS NULL;

-- name: delete_capabilities
-- Capabilities that an image lost.
DELETE FROM image_capabilities c USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND {shard(c, s)} AND c.image_id = s.image_id
    AND NOT (c.capability = ANY (s.capability_names));

-- name: insert_capabilities
-- Capabilities that an image got, or that changed.
INSERT INTO image_capabilities AS c (source_id, image_id, capability, supported, raw_value, models)
SELECT s.source_id, s.image_id, f.capability, f.supported, f.raw_value, f.models::text[]
FROM stage s, unnest(s.capability_names, s.capability_supported, s.capability_raw, s.capability_models)
    AS f (capability, supported, raw_value, models)
WHERE s.source_id = %(source)s AND s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND (SELECT true FROM image_capabilities t
        WHERE t.source_id = %(source)s AND t.image_id = s.image_id AND t.capability = f.capability
            AND (t.supported, t.raw_value, t.models) IS NOT DISTINCT FROM (f.supported, f.raw_value, f.models::text[])
        ) IS NULL
ON CONFLICT (source_id, image_id, capability) DO UPDATE
SET supported = excluded.supported, raw_value = excluded.raw_value, models = excluded.models;

-- name: delete_properties
-- Properties that an image lost.
DELETE FROM image_properties p USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND {shard(p, s)} AND p.image_id = s.image_id AND NOT (s.properties ? p.name);

-- name: insert_properties
-- Properties that an image got, or that changed.
INSERT INTO image_properties AS p (source_id, image_id, name, value)
SELECT s.source_id, s.image_id, f.key, f.value
FROM stage s, jsonb_each(s.properties) AS f
WHERE s.source_id = %(source)s AND s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND (SELECT true FROM image_properties t
        WHERE t.source_id = %(source)s AND t.image_id = s.image_id AND t.name = f.key AND t.value = f.value) IS NULL
ON CONFLICT (source_id, image_id, name) DO UPDATE SET value = excluded.value;

-- name: upsert_state
-- Fingerprints of what `images` shows.
INSERT INTO image_state AS f (source_id, image_id, raw_hash, content_hash, live, distro, release, arch, purpose,
    family, created_at, owner_hash)
SELECT source_id, image_id, raw_hash, content_hash, live, distro, release, arch, purpose, family, created_at,
    {owner_hash}
FROM stage s WHERE source_id = %(source)s AND run_id = %(run)s AND batch = %(batch)s AND present
ON CONFLICT (source_id, image_id) DO UPDATE
SET (raw_hash, content_hash, live, created_at, owner_hash)
        = (excluded.raw_hash, excluded.content_hash, excluded.live, excluded.created_at, excluded.owner_hash),
    distro = CASE WHEN excluded.purpose IS NULL THEN f.distro ELSE excluded.distro END,
    release = CASE WHEN excluded.purpose IS NULL THEN f.release ELSE excluded.release END,
    arch = CASE WHEN excluded.purpose IS NULL THEN f.arch ELSE excluded.arch END,
    purpose = coalesce(excluded.purpose, f.purpose),
    family = CASE WHEN excluded.purpose IS NULL THEN f.family ELSE excluded.family END;

-- name: clear_stage
-- At the end of a merge nothing stays behind.
DELETE FROM stage WHERE source_id = %(source)s AND run_id = %(run)s;

-- name: take_back_approvals
-- Absences that somebody approved of an image that is unknown again: one made anew under its id is another.
DELETE FROM absences a USING held_deletions h
WHERE a.source_id = %(source)s AND a.image_id = %(image)s AND h.source_id = %(source)s AND h.image_id = a.image_id
    AND a.observed_at IN (h.observed_at, h.decided_at) AND h.decision = 'approved';

-- name: refresh_hashes
-- Fingerprints of images whose content is as it was, hashed in another way.
UPDATE image_state u SET raw_hash = seen.raw_hash, content_hash = seen.content_hash
FROM {named(ids text AS image_id, raws bytea AS raw_hash, contents bytea AS content_hash)} AS seen
WHERE {shard(u, seen)} AND u.image_id = seen.image_id;

-- name: move_first_seen
-- When images were first seen, told by an earlier observation.
UPDATE images u SET first_seen_at = moved.at
FROM {named(ids text AS image_id, ats timestamptz AS at)} AS moved
WHERE {shard(u, moved)} AND u.image_id = moved.image_id AND u.first_seen_at <> moved.at;
