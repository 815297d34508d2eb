-- When each source is due, for all daemons, and what they report of it. Time is the database's.

-- name: due_sources
-- Sources by name: seconds until due (0 or less: due; NULL: retired), the same for its changes (NULL: only after a
-- complete sweep), and whether somebody holds the lease.
SELECT s.name,
    CASE WHEN s.retired_at IS NULL
         THEN coalesce(extract(epoch FROM s.next_due_at - clock_timestamp())::float8, 0) END,
    CASE WHEN s.retired_at IS NULL THEN extract(epoch FROM s.next_changes_at - clock_timestamp())::float8 END,
    coalesce(l.holder IS NOT NULL AND l.expires_at >= clock_timestamp(), false)
FROM sources AS s
LEFT JOIN leases AS l USING (source_id)
WHERE s.name = ANY (%(names)s);

-- name: is_due
-- Whether a source's time has come. Its row is locked, but not against references to it: another daemon may refer to it,
-- and wait for the lease that this one has.
SELECT retired_at IS NULL AND coalesce(next_due_at <= clock_timestamp(), true)
FROM sources WHERE source_id = %(source)s FOR NO KEY UPDATE;

-- name: failures
-- How many runs in a row were not complete.
SELECT failures FROM sources WHERE source_id = %(source)s;

-- name: set_due
-- The next run, and what staleness is measured by. Changes come after a complete sweep alone.
UPDATE sources SET next_due_at = %(due)s, expected_seconds = %(expected)s,
    next_changes_at = CASE WHEN last_complete_at IS NOT NULL AND endpoint IS NOT NULL THEN %(changes)s::timestamptz END
WHERE source_id = %(source)s;

-- name: claim_changes
-- Who moves the time on asks for the changes.
UPDATE sources SET next_changes_at = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source)s AND retired_at IS NULL AND next_changes_at <= statement_timestamp();

-- name: after_failed_changes
-- Changes could not be read: not again before the source is twice as old.
SELECT statement_timestamp() + greatest(
    make_interval(secs => %(seconds)s),
    least(make_interval(secs => %(longest)s), statement_timestamp() - greatest(last_complete_at, last_changes_at)))
FROM sources WHERE source_id = %(source)s;

-- name: postpone_changes
-- Not before then.
UPDATE sources SET next_changes_at = %(at)s WHERE source_id = %(source)s AND next_changes_at IS NOT NULL;

-- name: align_changes
-- A configuration was read: as soon as it says, or never.
UPDATE sources SET next_changes_at = CASE WHEN %(at)s::timestamptz IS NOT NULL
    THEN least(next_changes_at, %(at)s::timestamptz) END
WHERE name = %(name)s AND last_complete_at IS NOT NULL AND endpoint IS NOT NULL AND retired_at IS NULL;

-- name: align
-- A configuration was read: a source that waits for its regular turn gets the one of today's schedule. One that
-- is due already stays so, and back-off stays unless the schedule is another. What lies behind `latest` no run
-- can have set by today's clock: it was set back since.
UPDATE sources SET next_due_at = least(next_due_at, %(due)s), expected_seconds = %(expected)s
WHERE name = %(name)s AND retired_at IS NULL AND next_due_at > statement_timestamp()
    AND (expected_seconds IS DISTINCT FROM %(expected)s OR failures = 0 AND next_due_at > %(due)s
        OR next_due_at > %(latest)s);

-- name: health
-- One row per source in use. `rejected` is of the last sweep that read anything, `seconds` of the last that ended;
-- changes-only sweeps left out.
SELECT f.source, extract(epoch FROM f.last_complete_at)::float8, extract(epoch FROM f.last_changes_at)::float8,
    f.expected_seconds,
    f.failing_since IS NOT NULL, coalesce(f.error_kind, ''), f.held,
    coalesce(last.rejected, 0), last.seconds, coalesce(last.unlisted, 0)
FROM source_freshness AS f
LEFT JOIN (
    SELECT l.source_id, reading.rejected, reading.unlisted, ended.seconds
    FROM {per_source} AS l
    LEFT JOIN LATERAL (
        SELECT rejected, unlisted FROM runs AS r
        WHERE r.source_id = l.source_id AND r.kind = 'sync' AND r.scope = 'complete'
            AND r.outcome IN ('complete', 'partial')
        ORDER BY r.started_at DESC LIMIT 1
    ) AS reading ON true
    LEFT JOIN LATERAL (
        SELECT extract(epoch FROM r.finished_at - r.started_at)::float8 AS seconds FROM runs AS r
        WHERE r.source_id = l.source_id AND r.kind = 'sync' AND r.scope = 'complete' AND r.finished_at IS NOT NULL
        ORDER BY r.started_at DESC LIMIT 1
    ) AS ended ON true
) AS last ON last.source_id = f.source_id
WHERE f.retired_at IS NULL
ORDER BY f.source;

-- name: image_counts
-- From the narrow table: a million images are counted in a fraction of a second.
SELECT s.name, count(*) FILTER (WHERE i.live), count(*) FILTER (WHERE NOT i.live)
FROM sources AS s JOIN image_state AS i USING (source_id)
WHERE s.retired_at IS NULL
GROUP BY s.name;
