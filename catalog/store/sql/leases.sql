-- Leases: who may write a source. Time is the database's, as a statement begins: of several nodes the one that is asked
-- tells it.

-- name: lock
-- Who holds the source; nobody else can take it until the transaction ends.
SELECT holder::text, fence FROM leases WHERE source_id = %(source)s FOR UPDATE;

-- name: lock_source
-- A source that nobody held before; none that is being removed.
SELECT FROM sources WHERE source_id = %(source)s FOR KEY SHARE;

-- name: insert
-- Its lease.
INSERT INTO leases (source_id, fence) VALUES (%(source)s, 0) ON CONFLICT DO NOTHING;

-- name: take
-- A new holder, if the lease is free or ended; and whether it would have ended later than any lease may.
UPDATE leases l SET holder = %(holder)s, fence = l.fence + 1,
    expires_at = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM (
    SELECT source_id, expires_at > statement_timestamp() AS too_late FROM leases
    WHERE source_id = %(source)s AND (
        holder IS NULL OR expires_at IS NULL OR expires_at < statement_timestamp()
        OR expires_at > statement_timestamp() + make_interval(secs => %(longest)s))
    FOR UPDATE SKIP LOCKED
) AS free
WHERE l.source_id = %(source)s
RETURNING l.fence, free.too_late;

-- name: close_dead_runs
-- Runs of holders that ended before they could close them; only complete sweeps tell how the source is.
UPDATE runs SET outcome = 'failed', finished_at = statement_timestamp(), error_kind = 'database',
    error = 'the process ended before the run did'
WHERE source_id = %(source)s AND finished_at IS NULL
RETURNING kind = 'sync' AND scope = 'complete', run_id::text, started_at, error_kind, error;

-- name: renew
-- A later end, for who holds it still.
UPDATE leases SET expires_at = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s
RETURNING fence;

-- name: release
-- Free again.
UPDATE leases SET holder = NULL, expires_at = NULL
WHERE source_id = %(source)s AND holder = %(holder)s AND fence = %(fence)s;
