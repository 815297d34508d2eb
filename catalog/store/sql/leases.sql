-- Leases: who may write a source. Time is the database's.

-- name: lock
-- Who holds the source; nobody else can take it until the transaction ends.
SELECT holder::text, fence FROM leases WHERE source_id = %(source)s FOR UPDATE;

-- name: insert
-- A source that nobody held before; none for one that is being removed.
INSERT INTO leases (source_id, fence)
SELECT source_id, 0 FROM sources s
WHERE source_id = %(source)s AND NOT EXISTS (SELECT FROM leases l WHERE l.source_id = s.source_id)
FOR KEY SHARE ON CONFLICT DO NOTHING;

-- name: take
-- A new holder, if the lease is free or ended; and whether it would have ended later than any lease may.
UPDATE leases l SET holder = %(holder)s, fence = l.fence + 1,
    expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM (
    SELECT source_id, expires_at > clock_timestamp() AS too_late FROM leases
    WHERE source_id = %(source)s AND (
        holder IS NULL OR expires_at IS NULL OR expires_at < clock_timestamp()
        OR expires_at > clock_timestamp() + make_interval(secs => %(longest)s))
    FOR UPDATE SKIP LOCKED
) AS free
WHERE l.source_id = free.source_id
RETURNING l.fence, free.too_late;

-- name: close_dead_runs
-- Runs of holders that ended before they could close them; of a sweep, if the source fails only since then, what to
-- tell of it.
WITH dead AS (
    UPDATE runs SET outcome = 'failed', finished_at = clock_timestamp(), error_kind = 'database',
        error = 'the process ended before the run did'
    WHERE source_id = %(source)s AND finished_at IS NULL
    RETURNING run_id, kind, started_at, error_kind, error
)
UPDATE sources s SET failing_since = coalesce(s.failing_since, dead.started_at), failures = s.failures + 1,
    error_kind = 'database'
FROM dead, (SELECT source_id, failing_since FROM sources WHERE source_id = %(source)s FOR NO KEY UPDATE) AS before
WHERE s.source_id = before.source_id AND dead.kind = 'sync'
RETURNING before.failing_since, dead.run_id::text, dead.started_at, dead.error_kind, dead.error;

-- name: renew
-- A later end, for who holds it still.
UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s
RETURNING fence;

-- name: release
-- Free again.
UPDATE leases SET holder = NULL, expires_at = NULL
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s;
