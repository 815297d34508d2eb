-- The sources that the database knows. {columns}: those of a Source; {archived}: of a run that an archive brought.

-- name: find
-- The source of a name.
SELECT {columns} FROM sources WHERE name = %(name)s;

-- name: lock
-- One as it is recorded by now, and stays until the transaction ends.
SELECT {columns} FROM sources WHERE source_id = %(source)s FOR NO KEY UPDATE;

-- name: every
-- All of them.
SELECT {columns} FROM sources ORDER BY name;

-- name: insert
-- A source that is met for the first time; or one of which nothing was read, that is configured otherwise now.
INSERT INTO sources (source_id, name, kind, cloud, created_at, expected_seconds)
VALUES (%(source)s, %(name)s, %(kind)s, %(cloud)s, clock_timestamp(), %(expected)s)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, cloud = excluded.cloud
WHERE sources.observed_since IS NULL AND (sources.kind, sources.cloud) IS DISTINCT FROM (excluded.kind, excluded.cloud);

-- name: announce
-- One that no sweep was made of is due at once.
UPDATE sources SET next_due_at = statement_timestamp()
WHERE name = %(name)s AND next_due_at IS NULL AND observed_since IS NULL AND retired_at IS NULL;

-- name: recognise
-- Region, project and endpoint that a login met, where they are not recorded, or nothing was read there.
UPDATE sources s SET region = met.region, project_id = met.project_id, endpoint = %(endpoint)s
FROM (
    SELECT source_id, CASE WHEN observed_since IS NULL THEN %(region)s ELSE coalesce(region, %(region)s) END AS region,
        CASE WHEN observed_since IS NULL THEN %(project)s ELSE coalesce(project_id, %(project)s) END AS project_id
    FROM sources WHERE source_id = %(source)s
) AS met
WHERE s.source_id = met.source_id
    AND (s.region, s.project_id, s.endpoint) IS DISTINCT FROM (met.region, met.project_id, %(endpoint)s);

-- name: is_known_later
-- Whether a sweep was made of it, or a later archive is there.
SELECT EXISTS (
    SELECT FROM runs
    WHERE source_id = %(source)s AND (observed_at > %(at)s AND {archived} OR kind = 'sync' AND observed_at IS NOT NULL));

-- name: identify
-- The same from an archive, where none of the three is recorded.
UPDATE sources SET region = %(region)s, project_id = %(project)s, endpoint = %(endpoint)s
WHERE source_id = %(source)s AND region IS NULL AND project_id IS NULL AND endpoint IS NULL;

-- name: continue
-- The first archive tells whose archives a source is made of that was never swept, neither here nor in an archive.
UPDATE sources SET continues = %(archived)s
WHERE source_id = %(source)s AND continues IS NULL AND login IS NULL AND last_complete_at IS NULL;

-- name: own_ids
-- What its own archives call it: its own id, and that in the archives that it is made of.
SELECT source_id, continues FROM sources WHERE source_id = %(source)s;

-- name: owners
-- Sources whose archives carry these ids, by the id.
SELECT archived, s.name FROM unnest(%(ids)s::text[]) AS archived
JOIN sources s ON s.source_id = archived OR s.continues = archived
WHERE s.source_id <> %(source)s;

-- name: rename
-- A new name.
UPDATE sources SET name = %(new)s WHERE name = %(name)s;

-- name: retire
-- A source that is no longer swept.
UPDATE sources SET retired_at = least(retired_at, statement_timestamp()), next_due_at = NULL, next_changes_at = NULL,
    failing_since = NULL
WHERE name = %(name)s;

-- name: adopt
-- What was recorded of it goes; it lives again.
UPDATE sources SET region = NULL, project_id = NULL, endpoint = NULL, login = NULL, retired_at = NULL,
    next_changes_at = NULL, kind = coalesce(%(kind)s, kind)
WHERE name = %(name)s;

-- name: adopt_held
-- Deletions that were held as the login reached less: no later login can be compared with that.
UPDATE held_deletions SET reason = 'adopted'
WHERE source_id = %(source)s AND decision = 'open' AND reason = 'login_changed';

-- name: note_complete
-- A complete sweep of the past.
UPDATE sources SET last_complete_at = %(at)s, last_complete_ended_at = %(finished)s
WHERE source_id = %(source)s AND (last_complete_at IS NULL OR last_complete_at < %(at)s);

-- name: history_from
-- Where history begins.
SELECT history_from FROM sources WHERE source_id = %(source)s;

-- name: listing
-- Sources for people.
SELECT s.name, s.kind, s.cloud, s.region, s.project_id, s.endpoint, coalesce(i.live, 0),
    least(s.last_complete_at, s.last_complete_ended_at),
    s.failing_since, s.error_kind, s.retired_at, coalesce(h.held, 0)
FROM sources s
LEFT JOIN (SELECT source_id, count(*) AS held FROM held_deletions WHERE decision = 'open' GROUP BY source_id) h
    USING (source_id)
LEFT JOIN (SELECT source_id, count(*) AS live FROM images WHERE deleted_at IS NULL GROUP BY source_id) i
    USING (source_id)
ORDER BY s.name;

-- name: ever_observed
-- Whether a listing of any source was read.
SELECT EXISTS (SELECT FROM sources WHERE observed_since IS NOT NULL);
