-- The writer's statements. Most work on one batch of the stage: rows of `stage` with run_id and batch; others on
-- the images that are named.
-- A stage row is one revision about to be written; `present` rows are also what `images` shall show.
-- {fields}: typed columns that revisions and images share; {links}: the three URLs.
-- Rows that are named by unnest are found one by one through the primary key. Without statistics, or with those of
-- before, a plain join would be planned from the table's side, quadratic: so reads are LATERAL ... OFFSET 0, and
-- writes take the source's id, and NULL, out of a subquery with OFFSET 0: the planner would think that a constant
-- leaves few rows.
-- Never by ctid: under READ COMMITTED a row that somebody else has just changed would be passed over.

-- name: fill_copies
-- A revision that takes its content over from another one (its place, its dating or its end changed).
UPDATE stage s
SET ({fields}, tags, capabilities, properties, document)
    = (SELECT {r_fields}, r.tags, r.capabilities, r.properties,
              CASE WHEN s.content_hash IS NOT NULL THEN d.document END
       FROM revisions r
       LEFT JOIN revision_documents d USING (source_id, image_id, observed_at)
       WHERE r.source_id = s.source_id AND r.image_id = s.image_id AND r.observed_at = s.copy_of)
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.copy_of IS NOT NULL;

-- name: delete_revisions
DELETE FROM revisions d
USING (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS gone (image_id, at) OFFSET 0
) AS gone
WHERE d.source_id = gone.source_id AND d.image_id = gone.image_id AND d.observed_at = gone.at;

-- name: delete_documents
DELETE FROM revision_documents d
USING (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS gone (image_id, at) OFFSET 0
) AS gone
WHERE d.source_id = gone.source_id AND d.image_id = gone.image_id AND d.observed_at = gone.at;

-- name: delete_spells
DELETE FROM status_history d
USING (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS gone (image_id, at) OFFSET 0
) AS gone
WHERE d.source_id = gone.source_id AND d.image_id = gone.image_id AND d.valid_from = gone.at;

-- name: insert_revisions
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, valid_to, recorded_at, run_id, change,
    changed, content_hash, reported, lack_reason, cloud_time, cloud_deleted_at, spell_from, {fields},
    deleted_at, deletion_reason, tags, capabilities, properties)
SELECT source_id, image_id, observed_at, valid_from, valid_to, recorded_at, revision_run_id, change,
    changed, content_hash, reported, lack_reason, cloud_time, cloud_deleted_at, spell_from, {fields},
    deleted_at, deletion_reason, tags, capabilities, properties
FROM stage WHERE run_id = %(run)s AND batch = %(batch)s;

-- name: insert_documents
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
SELECT source_id, image_id, observed_at, document
FROM stage WHERE run_id = %(run)s AND batch = %(batch)s AND document IS NOT NULL AND content_hash IS NOT NULL;

-- name: insert_spells
INSERT INTO status_history (source_id, image_id, valid_from, status, valid_to, observed_at, recorded_at, run_id)
SELECT source_id, image_id, valid_from,
    CASE WHEN content_hash IS NULL OR reported THEN 'deleted' ELSE coalesce(status, 'unknown') END,
    spell_to, observed_at, recorded_at, revision_run_id
FROM stage WHERE run_id = %(run)s AND batch = %(batch)s AND starts_spell;

-- name: close_revisions
UPDATE revisions u SET valid_to = closing.valid_to
FROM (
    SELECT %(source)s::text AS source_id, image_id, at, valid_to
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[], %(tos)s::timestamptz[])
        AS closing (image_id, at, valid_to) OFFSET 0
) AS closing
WHERE u.source_id = closing.source_id AND u.image_id = closing.image_id AND u.observed_at = closing.at;

-- name: close_spells
UPDATE status_history u SET valid_to = closing.valid_to
FROM (
    SELECT %(source)s::text AS source_id, image_id, at, valid_to
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[], %(tos)s::timestamptz[])
        AS closing (image_id, at, valid_to) OFFSET 0
) AS closing
WHERE u.source_id = closing.source_id AND u.image_id = closing.image_id AND u.valid_from = closing.at;

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
    AND i.source_id = s.source_id AND i.image_id = s.image_id;

-- name: insert_images
INSERT INTO images (source_id, image_id, {fields}, {links}, deleted_at, deletion_reason, unlisted_since,
    first_seen_at, last_changed_at, tags, capabilities, properties)
SELECT source_id, image_id, {fields}, {links}, deleted_at, deletion_reason, unlisted_since,
    coalesce(first_seen_at, observed_at), observed_at, tags, capabilities, properties
FROM stage WHERE run_id = %(run)s AND batch = %(batch)s AND present
ON CONFLICT DO NOTHING;

-- name: delete_tags
DELETE FROM image_tags t USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND t.source_id = s.source_id AND t.image_id = s.image_id AND NOT (t.tag = ANY (s.tags));

-- name: insert_tags
INSERT INTO image_tags (source_id, image_id, tag)
SELECT s.source_id, s.image_id, tag
FROM stage s, unnest(s.tags) AS tag
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND NOT EXISTS (SELECT FROM image_tags t
        WHERE t.source_id = s.source_id AND t.image_id = s.image_id AND t.tag = tag.tag);

-- name: delete_capabilities
DELETE FROM image_capabilities c USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND c.source_id = s.source_id AND c.image_id = s.image_id
    AND NOT (c.capability = ANY (s.capability_names));

-- name: insert_capabilities
INSERT INTO image_capabilities AS c (source_id, image_id, capability, supported, raw_value, models)
SELECT s.source_id, s.image_id, f.capability, f.supported, f.raw_value, f.models::text[]
FROM stage s, unnest(s.capability_names, s.capability_supported, s.capability_raw, s.capability_models)
    AS f (capability, supported, raw_value, models)
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND NOT EXISTS (SELECT FROM image_capabilities t
        WHERE t.source_id = s.source_id AND t.image_id = s.image_id AND t.capability = f.capability
            AND (t.supported, t.raw_value, t.models) IS NOT DISTINCT FROM (f.supported, f.raw_value, f.models::text[]))
ON CONFLICT (source_id, image_id, capability) DO UPDATE
SET supported = excluded.supported, raw_value = excluded.raw_value, models = excluded.models;

-- name: delete_properties
DELETE FROM image_properties p USING stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND p.source_id = s.source_id AND p.image_id = s.image_id AND NOT (s.properties ? p.name);

-- name: insert_properties
INSERT INTO image_properties AS p (source_id, image_id, name, value)
SELECT s.source_id, s.image_id, f.key, f.value
FROM stage s, jsonb_each(s.properties) AS f
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present AND s.copy_of IS NULL
    AND NOT EXISTS (SELECT FROM image_properties t
        WHERE t.source_id = s.source_id AND t.image_id = s.image_id AND t.name = f.key AND t.value = f.value)
ON CONFLICT (source_id, image_id, name) DO UPDATE SET value = excluded.value;

-- name: upsert_state
INSERT INTO image_state AS f (source_id, image_id, raw_hash, content_hash, live)
SELECT source_id, image_id, raw_hash, content_hash, live
FROM stage WHERE run_id = %(run)s AND batch = %(batch)s AND present
ON CONFLICT (source_id, image_id) DO UPDATE
SET raw_hash = excluded.raw_hash, content_hash = excluded.content_hash, live = excluded.live;

-- name: clear_stage
DELETE FROM stage WHERE run_id = %(run)s;

-- name: load_lines
-- Of each image the revision in force just before a moment, and all from that moment on.
SELECT asked.image_id, r.observed_at, r.valid_from, r.content_hash, r.status, r.reported, r.cloud_time,
    r.cloud_deleted_at, r.lack_reason, r.run_id::text, r.change, r.spell_from, r.deleted_at,
    r.deletion_reason, r.changed::text
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT max(observed_at) AS at FROM revisions r
    WHERE r.source_id = %(source)s AND r.image_id = asked.image_id AND r.observed_at < %(at)s
) AS before
CROSS JOIN LATERAL (
    SELECT * FROM revisions t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id
        AND t.observed_at >= coalesce(before.at, %(at)s) OFFSET 0
) AS r
ORDER BY asked.image_id, r.observed_at;

-- name: load_last
-- Of each image the last revision.
SELECT asked.image_id, r.observed_at, r.valid_from, r.content_hash, r.status, r.reported, r.cloud_time,
    r.cloud_deleted_at, r.lack_reason, r.run_id::text, r.change, r.spell_from, r.deleted_at,
    r.deletion_reason, r.changed::text
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT * FROM revisions r WHERE r.source_id = %(source)s AND r.image_id = asked.image_id
    ORDER BY r.observed_at DESC LIMIT 1
) AS r;

-- name: load_documents
-- The last record at or before a moment: its time and document.
SELECT asked.image_id, asked.observed_at, d.document::text
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS asked (image_id, observed_at)
CROSS JOIN LATERAL (
    SELECT document FROM revision_documents d
    WHERE d.source_id = %(source)s AND d.image_id = asked.image_id AND d.observed_at <= asked.observed_at
    ORDER BY d.observed_at DESC LIMIT 1
) AS d;

-- name: lacks_before
-- The last lack before a moment that more than absence proves.
SELECT asked.image_id, l.at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT max(t.observed_at) AS at FROM lacks t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at < %(at)s
) AS l
WHERE l.at IS NOT NULL;

-- name: lacks_after
SELECT asked.image_id, l.at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT min(t.observed_at) AS at FROM lacks t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at > %(at)s
) AS l
WHERE l.at IS NOT NULL;

-- name: lack_reasons
SELECT asked.image_id, asked.observed_at, l.reason
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS asked (image_id, observed_at)
CROSS JOIN LATERAL (
    SELECT t.reason FROM lacks t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at = asked.observed_at OFFSET 0
) AS l;

-- name: state_now
SELECT asked.image_id, f.content_hash, f.live, i.unlisted_since, i.updated_at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT t.content_hash, t.live FROM image_state t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id OFFSET 0
) AS f
CROSS JOIN LATERAL (
    SELECT t.unlisted_since, t.updated_at FROM images t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id OFFSET 0
) AS i;

-- name: state_at
-- What the observations up to a moment say of each image: hash of its content, NULL = lack.
SELECT i.image_id, r.content_hash
FROM images i
CROSS JOIN LATERAL (
    SELECT content_hash FROM revisions r
    WHERE r.source_id = i.source_id AND r.image_id = i.image_id AND r.observed_at <= %(at)s
    ORDER BY r.observed_at DESC LIMIT 1
) AS r
WHERE i.source_id = %(source)s;

-- name: dated_across
-- Images whose revision begins after a moment but is dated at or before it: evidence at that moment may
-- date them anew.
SELECT DISTINCT image_id FROM revisions
WHERE source_id = %(source)s AND observed_at > %(at)s AND valid_from <= %(at)s AND valid_from < observed_at;

-- name: dated_after
-- Images whose dating may change when the observation at a moment is taken out.
SELECT DISTINCT image_id FROM revisions
WHERE source_id = %(source)s AND (observed_at = %(at)s OR (observed_at > %(at)s AND cloud_time <= %(at)s));

-- name: image_ids
SELECT image_id FROM images WHERE source_id = %(source)s;

-- name: holding
-- Images whose last evidence is a record: those that a complete observation must hold.
SELECT image_id FROM image_state WHERE source_id = %(source)s AND content_hash IS NOT NULL;

-- name: refresh_hashes
UPDATE image_state u SET raw_hash = seen.raw_hash, content_hash = seen.content_hash
FROM (
    SELECT %(source)s::text AS source_id, image_id, raw_hash, content_hash
    FROM unnest(%(ids)s::text[], %(raws)s::bytea[], %(contents)s::bytea[])
        AS seen (image_id, raw_hash, content_hash) OFFSET 0
) AS seen
WHERE u.source_id = seen.source_id AND u.image_id = seen.image_id;

-- name: unlist
UPDATE images u SET unlisted_since = %(at)s
FROM (
    SELECT %(source)s::text AS source_id, image_id, NULL::timestamptz AS nothing
    FROM unnest(%(ids)s::text[]) AS missing (image_id) OFFSET 0
) AS missing
WHERE u.source_id = missing.source_id AND u.image_id = missing.image_id
    AND (u.deleted_at, u.unlisted_since) IS NOT DISTINCT FROM (missing.nothing, missing.nothing);

-- name: forget_raw
-- The raw hash of an image that is not listed goes, so that its return is noticed.
UPDATE image_state u SET raw_hash = NULL
FROM (
    SELECT %(source)s::text AS source_id, image_id, NULL::bytea AS nothing
    FROM unnest(%(ids)s::text[]) AS missing (image_id) OFFSET 0
) AS missing
WHERE u.source_id = missing.source_id AND u.image_id = missing.image_id
    AND u.raw_hash IS DISTINCT FROM missing.nothing;

-- name: move_first_seen
UPDATE images u SET first_seen_at = moved.at
FROM (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS moved (image_id, at) OFFSET 0
) AS moved
WHERE u.source_id = moved.source_id AND u.image_id = moved.image_id AND u.first_seen_at <> moved.at;

-- name: date_unlisted
-- `unlisted_since`: a moment, or NULL for images that are listed; NULL for deleted ones, too.
UPDATE images u SET unlisted_since = CASE WHEN u.deleted_at IS NULL THEN said.at END
FROM (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS said (image_id, at) OFFSET 0
) AS said
WHERE u.source_id = said.source_id AND u.image_id = said.image_id
    AND u.unlisted_since IS DISTINCT FROM CASE WHEN u.deleted_at IS NULL THEN said.at END;

-- name: hold
-- Deletions of live images that a run would have inferred; one that is open or kept stays as it is.
INSERT INTO held_deletions (source_id, image_id, run_id, unlisted_since, observed_at, decision, reason)
SELECT i.source_id, i.image_id, %(run)s, i.unlisted_since, %(at)s, 'open', %(reason)s
FROM unnest(%(ids)s::text[]) AS held (image_id)
CROSS JOIN LATERAL (
    SELECT t.source_id, t.image_id, t.unlisted_since, t.deleted_at FROM images t
    WHERE t.source_id = %(source)s AND t.image_id = held.image_id OFFSET 0
) AS i
WHERE i.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM held_deletions h
    WHERE h.source_id = i.source_id AND h.image_id = i.image_id AND h.decision IN ('open', 'kept')
)
ON CONFLICT DO NOTHING;

-- name: end_held
-- Open and kept deletions that the present has decided meanwhile: the image is deleted, or listed again.
UPDATE held_deletions h
SET decision = CASE WHEN i.deleted_at IS NULL OR i.deletion_reason = 'reported' THEN 'returned' ELSE 'approved' END,
    decided_at = %(at)s, decided_by = %(by)s
FROM images i
WHERE h.source_id = %(source)s AND h.decision IN ('open', 'kept') AND i.source_id = h.source_id
    AND i.image_id = h.image_id
    AND (i.deleted_at IS NOT NULL OR i.unlisted_since IS NULL OR i.unlisted_since > h.observed_at);

-- name: opened
SELECT image_id, observed_at FROM held_deletions WHERE source_id = %(source)s AND decision = 'open';

-- name: date_held
UPDATE held_deletions h SET unlisted_since = i.unlisted_since
FROM images i
WHERE h.source_id = %(source)s AND h.decision IN ('open', 'kept') AND i.source_id = h.source_id
    AND i.image_id = h.image_id AND h.unlisted_since IS DISTINCT FROM i.unlisted_since;

-- name: waiting
-- Live images that are not listed, and since when.
SELECT image_id, unlisted_since FROM images
WHERE source_id = %(source)s AND deleted_at IS NULL AND unlisted_since IS NOT NULL;

-- name: drop_later_holders
DELETE FROM held_deletions h
USING (
    SELECT %(source)s::text AS source_id, image_id, at
    FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS first (image_id, at) OFFSET 0
) AS first
WHERE h.source_id = first.source_id AND h.image_id = first.image_id AND h.decision IN ('open', 'kept')
    AND h.observed_at > first.at
RETURNING h.image_id, h.decision = 'kept';

-- name: hold_again
-- Where no observation that is as early holds the image; one that did so once is taken up again.
INSERT INTO held_deletions (source_id, image_id, run_id, unlisted_since, observed_at, decision, decided_at, decided_by)
SELECT i.source_id, i.image_id, h.run_id, i.unlisted_since, h.observed_at, CASE WHEN h.kept THEN 'kept' ELSE 'open' END,
    CASE WHEN h.kept THEN %(at)s::timestamptz END, CASE WHEN h.kept THEN %(by)s END
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[], %(runs)s::uuid[], %(kept)s::boolean[])
    AS h (image_id, observed_at, run_id, kept)
CROSS JOIN LATERAL (
    SELECT t.source_id, t.image_id, t.unlisted_since FROM images t
    WHERE t.source_id = %(source)s AND t.image_id = h.image_id OFFSET 0
) AS i
WHERE NOT EXISTS (
    SELECT FROM held_deletions t
    WHERE t.source_id = i.source_id AND t.image_id = i.image_id AND t.decision IN ('open', 'kept'))
ON CONFLICT (source_id, image_id, run_id) DO UPDATE
SET decision = excluded.decision, unlisted_since = excluded.unlisted_since, observed_at = excluded.observed_at,
    decided_at = excluded.decided_at, decided_by = excluded.decided_by;

-- name: updated_at
SELECT i.image_id, i.updated_at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT t.image_id, t.updated_at FROM images t WHERE t.source_id = %(source)s AND t.image_id = asked.image_id OFFSET 0
) AS i;

-- name: remember_look_ups
INSERT INTO look_ups AS l (source_id, image_id, asked_at, answer)
SELECT i.source_id, i.image_id, %(at)s, a.answer
FROM unnest(%(ids)s::text[], %(answers)s::text[]) AS a (image_id, answer)
CROSS JOIN LATERAL (
    SELECT t.source_id, t.image_id FROM images t WHERE t.source_id = %(source)s AND t.image_id = a.image_id OFFSET 0
) AS i
ON CONFLICT (source_id, image_id) DO UPDATE SET asked_at = excluded.asked_at, answer = excluded.answer
WHERE l.asked_at < excluded.asked_at;

-- name: join_capabilities
INSERT INTO capabilities (capability, upstream_key, value_kind, inverted, family, description)
SELECT name, '__support_' || name, 'flag', false, 'other', 'First seen in a listing; not documented.'
FROM unnest(%(names)s::text[]) AS name
ON CONFLICT DO NOTHING;
