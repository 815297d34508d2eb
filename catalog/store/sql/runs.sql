-- The ledger of runs, and the records that they rejected.
-- {complete_sweeps}: from the complete sweeps of a source, whether they wrote themselves or their archive was loaded;
-- {counters}: `name = %(name)s` of each counter.

-- name: start
-- A run's row, open.
INSERT INTO runs (source_id, run_id, kind, scope, started_at)
VALUES (%(source)s, %(run)s, %(kind)s, %(scope)s, coalesce(%(started)s, statement_timestamp())) RETURNING started_at;

-- name: finish
-- Closes it, once.
UPDATE runs SET {counters}, observed_at = %(observed)s,
    finished_at = statement_timestamp(), outcome = %(outcome)s,
    error_kind = %(error_kind)s, error = %(error)s, note = %(note)s, file = %(file)s
WHERE source_id = %(source)s AND run_id = %(run)s AND finished_at IS NULL
RETURNING finished_at;

-- name: insert_passes
-- Its passes.
INSERT INTO run_passes (source_id, run_id, pass, verdict, pages, records, last_marker, error)
SELECT %(source)s, %(run)s, p.*
FROM unnest(%(names)s::text[], %(verdicts)s::text[], %(pages)s::bigint[], %(records)s::bigint[], %(markers)s::text[],
    %(errors)s::text[]) AS p
ON CONFLICT DO NOTHING;

-- name: read_back
-- A closed run's row as its result has it.
SELECT {names}, observed_at, finished_at, outcome, error_kind, error, note FROM runs
WHERE source_id = %(source)s AND run_id = %(run)s AND finished_at IS NOT NULL;

-- name: succeed
-- The source is well: its last sweep was complete. Since when it was not, if so.
UPDATE sources s SET last_complete_at = greatest(s.last_complete_at, %(observed)s),
    last_complete_ended_at = %(finished)s, failing_since = NULL, failures = 0, error_kind = NULL,
    last_complete_seconds = extract(epoch FROM statement_timestamp() - %(started)s)
FROM (SELECT source_id, failing_since FROM sources WHERE source_id = %(source)s FOR NO KEY UPDATE) AS before
WHERE s.source_id = before.source_id
RETURNING before.failing_since;

-- name: fail
-- It is not, since a while. Since when it was not before, if so.
UPDATE sources s SET failing_since = coalesce(s.failing_since, %(started)s), failures = s.failures + 1,
    error_kind = %(error_kind)s
FROM (SELECT source_id, failing_since FROM sources WHERE source_id = %(source)s FOR NO KEY UPDATE) AS before
WHERE s.source_id = before.source_id
RETURNING before.failing_since;

-- name: note_changes
-- All that is new was read, and is merged, if anything is.
UPDATE sources SET last_changes_at = %(observed)s, last_changes_ended_at = %(finished)s
WHERE source_id = %(source)s;

-- name: known_rejected
-- Whether each of these records was rejected before.
SELECT count(*) = cardinality(%(hashes)s::bytea[]) FROM rejected_records
WHERE source_id = %(source)s AND record_hash = ANY (%(hashes)s);

-- name: insert_rejected
-- A record that could not be stored, once.
INSERT INTO rejected_records (source_id, record_hash, image_id, reason, record, first_run_id, last_run_id, count)
VALUES (%(source)s, %(hash)s, %(image)s, %(reason)s, %(record)s, %(run)s, %(run)s, 0)
ON CONFLICT DO NOTHING;

-- name: insert_rejections
-- That a run met these records.
INSERT INTO rejections (source_id, record_hash, run_id, observed_at)
SELECT %(source)s, record_hash, %(run)s, %(at)s FROM unnest(%(hashes)s::bytea[]) AS record_hash
ON CONFLICT DO NOTHING RETURNING record_hash;

-- name: count_on
-- Records that the latest run met for the first time.
UPDATE rejected_records SET last_run_id = %(run)s, count = count + 1
WHERE source_id = %(source)s AND record_hash = ANY (%(hashes)s);

-- name: met
-- How many runs met each of these records, the first and the last of them.
SELECT record_hash, count(*), (array_agg(run_id::text ORDER BY observed_at, run_id))[1],
    (array_agg(run_id::text ORDER BY observed_at DESC, run_id DESC))[1]
FROM rejections WHERE source_id = %(source)s AND record_hash = ANY (%(hashes)s::bytea[]) GROUP BY record_hash;

-- name: count_rejections
-- First and last run that met these records, and how many did, by so many more than before. The first of more runs
-- than there are rows for was pruned: none comes before it.
UPDATE rejected_records r
SET first_run_id = CASE WHEN r.count + met.more > met.runs THEN r.first_run_id ELSE met.first END,
    last_run_id = met.last, count = r.count + met.more
FROM unnest(%(hashes)s::bytea[], %(mores)s::bigint[], %(counts)s::bigint[], %(firsts)s::uuid[], %(lasts)s::uuid[])
    AS met (record_hash, more, runs, first, last)
WHERE r.source_id = %(source)s AND r.record_hash = met.record_hash;

-- name: drop_rejected
-- Those of them that no run met any more.
DELETE FROM rejected_records r
WHERE source_id = %(source)s AND record_hash = ANY (%(hashes)s)
    AND NOT EXISTS (SELECT FROM rejections m WHERE m.source_id = %(source)s AND m.record_hash = r.record_hash);

-- name: drop_rejections
-- What runs met goes with them.
DELETE FROM rejections WHERE source_id = %(source)s AND run_id = ANY (%(runs)s::uuid[]) RETURNING record_hash;

-- name: drop_passes
-- Passes of runs that are taken out.
DELETE FROM run_passes WHERE source_id = %(source)s AND run_id = ANY (%(runs)s::uuid[]);

-- name: drop
-- Runs that are taken out.
DELETE FROM runs WHERE source_id = %(source)s AND run_id = ANY (%(runs)s::uuid[]);

-- name: drop_held
-- Deletions that they held back first; what somebody decided stays so.
DELETE FROM held_deletions
WHERE source_id = %(source)s AND run_id = ANY (%(runs)s::uuid[]) AND decision NOT IN ('approved', 'kept');

-- name: drop_lookups
-- What they asked for.
DELETE FROM lookups WHERE source_id = %(source)s AND asked_at = %(at)s;

-- name: first
-- A source's first observation.
SELECT min(observed_at) FROM observations WHERE source_id = %(source)s;

-- name: drop_void
-- What somebody approved of images of which nothing is left: no run's observation, and none that proves anything.
DELETE FROM observations o
WHERE o.source_id = %(source)s
    AND NOT EXISTS (SELECT FROM runs r WHERE r.source_id = %(source)s AND r.observed_at = o.observed_at)
    AND NOT EXISTS (SELECT FROM absences a WHERE a.source_id = %(source)s AND a.observed_at = o.observed_at);

-- name: last_complete
-- When its last complete sweep observed, and when its run ended.
SELECT observed_at, finished_at {complete_sweeps} ORDER BY observed_at DESC NULLS LAST LIMIT 1;

-- name: date_first
-- Another observation is the source's first now.
UPDATE sources SET observed_since = %(first)s WHERE source_id = %(source)s AND observed_since = %(at)s;

-- name: date_complete
-- Another one is its last complete sweep.
UPDATE sources SET last_complete_at = %(last)s, last_complete_ended_at = %(ended)s
WHERE source_id = %(source)s AND last_complete_at = %(at)s;

-- name: last_complete_before
-- When the last complete sweep before a moment observed.
SELECT max(observed_at) {complete_sweeps} AND observed_at < %(cut)s;

-- name: insert_forgotten
-- Runs whose observation somebody took out.
INSERT INTO forgotten_runs (source_id, run_id, observed_at, forgotten_at)
SELECT %(source)s, run_id, %(at)s, now() FROM unnest(%(runs)s::uuid[]) AS run_id
ON CONFLICT DO NOTHING;

-- name: drop_forgotten
-- One that is asked for again.
DELETE FROM forgotten_runs WHERE source_id = %(source)s AND run_id = %(run)s;

-- name: insert_files
-- The files that made a run up. They outlive it.
INSERT INTO loaded_files (source_id, observed_at, file_hash, run_id)
SELECT %(source)s, %(at)s, file_hash, %(run)s FROM unnest(%(hashes)s::bytea[]) AS file_hash
ON CONFLICT DO NOTHING;

-- name: forgotten_files
-- Files of a moment that runs were made of, none of which is left.
SELECT f.file_hash FROM loaded_files f
LEFT JOIN runs r ON r.source_id = %(source)s AND r.run_id = f.run_id
WHERE f.source_id = %(source)s AND f.observed_at = %(at)s AND f.file_hash = ANY (%(hashes)s::bytea[])
GROUP BY f.file_hash HAVING count(r.run_id) = 0;

-- name: is_forgotten
-- Whether somebody took a run's observation out.
SELECT EXISTS (SELECT FROM forgotten_runs WHERE source_id = %(source)s AND run_id = %(run)s);

-- name: forgotten
-- Runs that somebody took out: by the beginning of their id, or by when they observed.
SELECT run_id::text, observed_at FROM forgotten_runs
WHERE source_id = %(source)s AND (
    run_id::text LIKE ANY (%(prefixes)s::text[])
    OR observed_at >= %(since)s::timestamptz AND observed_at <= coalesce(%(until)s::timestamptz, 'infinity'));

-- name: outcome
-- How a run ended.
SELECT outcome FROM runs WHERE source_id = %(source)s AND run_id = %(run)s;

-- name: among
-- Those of some runs that were merged.
SELECT run_id::text FROM runs
WHERE source_id = %(source)s AND run_id = ANY (%(runs)s::uuid[]) AND outcome IN ('complete', 'partial');

-- name: rejected_alike
-- Whether a run rejected just these records.
SELECT rejected = %(count)s AND rejected = (
    SELECT count(*) FROM rejected_records j
    WHERE j.source_id = %(source)s AND j.record_hash = ANY (%(hashes)s))
FROM runs r WHERE source_id = %(source)s AND run_id = %(run)s;

-- name: recent
-- Runs for people, newest first.
SELECT s.name, {columns} FROM runs r JOIN sources s USING (source_id)
WHERE r.source_id = ANY (%(sources)s) AND (%(kind)s::text IS NULL OR r.kind = %(kind)s)
ORDER BY r.started_at DESC, s.name LIMIT %(limit)s;

-- name: merged
-- Runs that were merged: by the beginning of their id, or by when they observed.
SELECT run_id::text, observed_at, kind, outcome, listed, file FROM runs
WHERE source_id = %(source)s AND outcome IN ('complete', 'partial') AND (
    run_id::text LIKE ANY (%(prefixes)s::text[])
    OR observed_at >= %(since)s::timestamptz AND observed_at <= coalesce(%(until)s::timestamptz, 'infinity'))
ORDER BY observed_at DESC, run_id;

-- name: last_passes
-- Passes that held records in the last complete sweep.
SELECT p.pass FROM run_passes p
WHERE p.source_id = %(source)s AND p.records > 0 AND p.run_id = (
    SELECT r.run_id FROM runs r
    WHERE r.source_id = %(source)s AND r.kind = 'sync' AND r.scope = 'complete' AND r.outcome = 'complete'
    ORDER BY r.started_at DESC LIMIT 1
);
