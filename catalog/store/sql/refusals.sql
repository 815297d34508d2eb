-- Whose locks are in the way of a transaction.

-- name: lock_holder
-- The strongest lock on a table of ours, of the oldest transaction; those of the catalog itself last.
SELECT a.pid, a.usename, a.application_name, a.xact_start, a.state, l.relation::regclass::text
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND l.locktype = 'relation' AND l.mode <> 'AccessShareLock' AND a.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.relation IN (
        SELECT c.oid FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = (
            SELECT relnamespace FROM pg_class WHERE oid = to_regclass('catalog_schema_version')))
ORDER BY a.application_name = 'catalog',
    array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',
        'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock'], l.mode), a.xact_start
LIMIT 1;
