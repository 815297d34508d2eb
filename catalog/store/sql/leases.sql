-- Leases: who may write a source. Time is the database's, as a statement begins: of several nodes the one that is asked
-- tells it.

-- name: lock
-- Who holds the source; nobody else can take it until the transaction ends. Counted, so that a reader sees that something
-- was written.
UPDATE leases SET writes = writes + 1 WHERE source_id = %(source)s RETURNING holder::text, fence;

-- name: version
-- A number that differs once anything of any source was written: who writes what is known of one counts up in its lease,
-- and what does without (rename, retire, announce) is in the rows. NULL where not every source has a lease, as in a hub.
SELECT CASE WHEN bool_and(l.source_id IS NOT NULL) THEN
    sum(hashtextextended(concat_ws(' ', s::text, l.fence, l.writes), 0))
        + (SELECT coalesce(sum(hashtextextended(a::text, 0)), 0) FROM image_announcements AS a)
END
FROM sources AS s LEFT JOIN leases AS l ON l.source_id = s.source_id;

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
