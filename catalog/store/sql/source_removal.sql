-- Sources that are removed.

-- name: lock_unread
-- A source of which nothing was ever read, and that no daemon sweeps.
SELECT FROM sources s
WHERE source_id = %(source)s AND observed_since IS NULL AND (%(due)s OR next_due_at IS NULL)
    AND NOT EXISTS (SELECT FROM forgotten_runs f WHERE f.source_id = %(source)s)
FOR UPDATE;
