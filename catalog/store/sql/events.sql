-- Events: what sweeps changed, written in the transaction that changes it, and read by number.
-- Written events take numbers from %(last)s on, which the source's row was locked for.

-- name: last
-- The source's newest event: its number, and its time if it is still kept. Nobody else writes one until the
-- transaction ends.
SELECT s.last_event, (SELECT e.time FROM events e WHERE e.source_id = %(source)s AND e.number = s.last_event)
FROM sources s WHERE s.source_id = %(source)s FOR NO KEY UPDATE OF s;

-- name: advance
-- Numbers that were taken.
UPDATE sources SET last_event = last_event + %(count)s WHERE source_id = %(source)s;

-- name: changes
-- One for each image whose last revision this run wrote, from the stage. First revisions are left out of a first load,
-- and what is new about an image that was deleted already (its absence after the report, say).
-- Large values stay in the history: of changed keys their names are told then, of many tags the first ones.
INSERT INTO events (source_id, number, run_id, type, subject, time, data)
SELECT s.source_id, %(last)s + row_number() OVER (), s.run_id,
    'catalog.image.' || CASE WHEN s.change = 'replaced' THEN 'updated' ELSE s.change END, s.image_id, %(at)s,
    jsonb_build_object('name', left(s.name, 1000), 'status', s.status, 'visibility', s.visibility, 'owner', s.owner,
        'tags', CASE WHEN pg_column_size(s.tags) < 16384 THEN s.tags ELSE s.tags[:16] END, 'change', s.change,
        'valid_from', s.valid_from, 'deletion_reason', s.deletion_reason,
        'changed', CASE WHEN pg_column_size(s.changed) >= 65536
            THEN (SELECT jsonb_object_agg(key, NULL::text) FROM jsonb_object_keys(s.changed) AS key) ELSE s.changed END)
FROM stage s
WHERE s.source_id = %(source)s AND s.run_id = %(run)s AND s.present AND s.observed_at = %(observed)s
    AND (s.change <> 'deleted' OR s.starts_period)
    AND NOT (%(loading)s AND s.changed IS NULL AND s.copy_of IS NULL);

-- name: unlisted
-- One for each live image that this run did not list, though the one before did.
INSERT INTO events (source_id, number, run_id, type, subject, time, data)
SELECT i.source_id, %(last)s + row_number() OVER (), %(run)s, 'catalog.image.unlisted', i.image_id, %(at)s,
    jsonb_build_object('name', left(i.name, 1000), 'status', i.status, 'visibility', i.visibility, 'owner', i.owner,
        'tags', CASE WHEN pg_column_size(i.tags) < 16384 THEN i.tags ELSE i.tags[:16] END,
        'unlisted_since', i.unlisted_since)
FROM unnest(%(ids)s::text[]) AS missing (image_id)
CROSS JOIN {stored(images, missing)} AS i
WHERE i.deleted_at IS NULL AND i.unlisted_since = %(observed)s;

-- name: held
-- How many deletions this run is the first to hold back, how many are held in all, why, and the first hundred images.
SELECT count(*) FILTER (WHERE h.run_id = %(run)s), count(*), min(h.reason) FILTER (WHERE h.run_id = %(run)s),
    (array_agg(h.image_id ORDER BY h.image_id) FILTER (WHERE h.run_id = %(run)s))[:100]
FROM held_deletions h
WHERE h.source_id = %(source)s AND h.decision = 'open';

-- name: one
-- One of the whole source.
INSERT INTO events (source_id, number, run_id, type, time, data)
VALUES (%(source)s, %(last)s + 1, %(run)s, %(type)s, %(at)s, %(data)s::jsonb);

-- name: is_loading
-- Whether a source's first load has not ended: no sweep of it was complete, and no saved listing was loaded.
SELECT NOT EXISTS (
    SELECT FROM runs
    WHERE source_id = %(source)s AND scope = 'complete'
        AND (outcome = 'complete' OR kind = 'backfill' AND outcome IS NOT NULL));

-- name: prune
-- The oldest that are no longer kept, so many at a time; none where the very oldest is kept, as times never go back.
DELETE FROM events
WHERE source_id = %(source)s AND time < %(before)s
    AND number < (SELECT CASE WHEN o.time < %(before)s THEN o.number + %(most)s END FROM events o
        WHERE o.source_id = %(source)s ORDER BY o.number LIMIT 1);

-- name: read
-- Events of some sources, each from a number on, in the order of time; within a source that is the order of numbers.
SELECT s.source_id, s.name, e.number, e.run_id::text, e.type, e.subject, e.time, e.data
FROM unnest(%(sources)s::text[], %(after)s::bigint[]) AS place (source_id, number)
JOIN sources s ON s.source_id = place.source_id AND s.last_event > place.number
JOIN events e ON e.source_id = place.source_id AND e.number > place.number
WHERE e.type = ANY (%(types)s)
ORDER BY e.time, e.source_id, e.number;

-- name: newest
-- The newest events of some sources, newest first.
SELECT e.source_id, s.name, e.number, e.run_id::text, e.type, e.subject, e.time, e.data
FROM {per_source} l JOIN sources s ON s.source_id = l.source_id
CROSS JOIN LATERAL (
    SELECT * FROM events t
    WHERE t.source_id = l.source_id AND t.type = ANY (%(types)s)
    ORDER BY t.number DESC LIMIT %(most)s
) AS e
WHERE l.source_id = ANY (%(sources)s)
ORDER BY e.time DESC, e.source_id, e.number DESC LIMIT %(most)s;

-- name: after
-- A source's next events.
SELECT e.source_id, s.name, e.number, e.run_id::text, e.type, e.subject, e.time, e.data
FROM events e JOIN sources s USING (source_id)
WHERE e.source_id = %(source)s AND e.number > %(number)s
ORDER BY e.number LIMIT %(most)s;

-- name: families
-- The family of each name.
SELECT name, image_family(name) FROM unnest(%(names)s::text[]) AS name;
