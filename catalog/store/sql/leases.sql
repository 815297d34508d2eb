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

-- name: free
-- The lease, if it is free or ended, and whether it ends later than any lease may.
SELECT fence, expires_at > clock_timestamp() FROM leases
WHERE source_id = %(source)s AND (
    holder IS NULL OR expires_at IS NULL OR expires_at < clock_timestamp()
    OR expires_at > clock_timestamp() + make_interval(secs => %(longest)s))
FOR UPDATE SKIP LOCKED;

-- name: take
-- A new holder.
UPDATE leases SET holder = %(holder)s, fence = fence + 1,
    expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source)s;

-- name: close_dead_runs
-- Runs of holders that ended before they could close them.
WITH dead AS (
    UPDATE runs SET outcome = 'failed', finished_at = clock_timestamp(), error_kind = 'database',
        error = 'the process ended before the run did'
    WHERE source_id = %(source)s AND finished_at IS NULL
    RETURNING kind, started_at
)
UPDATE sources SET failing_since = coalesce(failing_since, dead.started_at), failures = failures + 1,
    error_kind = 'database'
FROM dead WHERE source_id = %(source)s AND dead.kind = 'sync';

-- name: renew
-- A later end, for who holds it still.
UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s
RETURNING fence;

-- name: release
-- Free again.
UPDATE leases SET holder = NULL, expires_at = NULL
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s;
