-- What the writer asks and notes beside revisions.

-- name: dated_across
-- Images whose revision begins after a moment but is dated at or before it: evidence at that moment may
-- date them again.
SELECT DISTINCT image_id FROM revisions
WHERE source_id = %(source)s AND observed_at > %(at)s AND valid_from <= %(at)s AND valid_from < observed_at;

-- name: dated_after
-- Images whose dating may change when the observation at a moment is taken out.
SELECT DISTINCT image_id FROM revisions
WHERE source_id = %(source)s AND (observed_at = %(at)s OR (observed_at > %(at)s AND cloud_time <= %(at)s));

-- name: image_ids
-- Every image of a source.
SELECT image_id FROM images WHERE source_id = %(source)s;

-- name: holding
-- Images whose last evidence is a record: those that a complete observation must hold.
SELECT image_id FROM image_state WHERE source_id = %(source)s AND content_hash IS NOT NULL;

-- name: absent
-- Those of some images whose last evidence is their absence.
SELECT image_id FROM image_state
WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND content_hash IS NULL;

-- name: living
-- Those of some images that live.
SELECT image_id FROM image_state WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND live;

-- name: unlist
-- Live images that a listing left out for the first time.
UPDATE images u SET unlisted_since = %(at)s
FROM {named(ids text AS image_id, NULL::timestamptz AS nothing)} AS missing
WHERE {shard(u, missing)} AND u.image_id = missing.image_id
    AND (u.deleted_at, u.unlisted_since) IS NOT DISTINCT FROM (missing.nothing, missing.nothing);

-- name: forget_raw
-- The raw hash of an image that is not listed goes, so that its return is noticed.
UPDATE image_state u SET raw_hash = NULL
FROM {named(ids text AS image_id, NULL::bytea AS nothing)} AS missing
WHERE {shard(u, missing)} AND u.image_id = missing.image_id
    AND u.raw_hash IS DISTINCT FROM missing.nothing;

-- name: date_unlisted
-- `unlisted_since`: a moment, or NULL for images that are listed; NULL for deleted ones, too.
UPDATE images u SET unlisted_since = CASE WHEN u.deleted_at IS NULL THEN said.at END
FROM {named(ids text AS image_id, ats timestamptz AS at)} AS said
WHERE {shard(u, said)} AND u.image_id = said.image_id
    AND u.unlisted_since IS DISTINCT FROM CASE WHEN u.deleted_at IS NULL THEN said.at END;

-- name: join_capabilities
-- Capabilities that no source delivered before.
INSERT INTO capabilities (capability, upstream_key, value_kind, inverted, family, description)
SELECT name, '__support_' || name, 'flag', false, 'other', 'First seen in a listing; not documented.'
FROM unnest(%(names)s::text[]) AS name
ON CONFLICT DO NOTHING;

-- name: before
-- The source's name, since when its history is kept, and when it was last observed.
SELECT name, history_from, (SELECT max(observed_at) FROM observations WHERE source_id = %(source)s)
FROM sources WHERE source_id = %(source)s;

-- name: any_image
-- Whether a source has any image.
SELECT EXISTS (SELECT FROM images WHERE source_id = %(source)s);

-- name: name_revisions
-- Of the runs that make up an observation the least names its revisions, in whatever order they came.
UPDATE revisions SET run_id = %(run)s WHERE source_id = %(source)s AND observed_at = %(at)s AND run_id <> %(run)s;

-- name: name_periods
-- And its status periods.
UPDATE status_history SET run_id = %(run)s WHERE source_id = %(source)s AND observed_at = %(at)s AND run_id <> %(run)s;
