-- What an export asks of the catalog. All of it in one transaction that only reads, so that it sees one moment.

-- name: sources
-- Each source with its newest run, and a text that differs once anything of it was written: every writer takes the
-- lease, which counts up, and what does without (rename, retire) is in the row. NULL while somebody holds the lease:
-- what that one writes would not count up any more.
SELECT s.source_id, s.name,
    newest.run_id,
    CASE WHEN l.holder IS NULL
        THEN concat_ws(' ', s::text, l.fence, (SELECT version_num FROM catalog_schema_version))
    END AS state
FROM sources AS s
LEFT JOIN leases AS l USING (source_id)
LEFT JOIN (
    SELECT o.source_id, (
        SELECT r.run_id::text FROM runs AS r WHERE r.source_id = o.source_id
        ORDER BY r.started_at DESC, r.run_id DESC LIMIT 1
    ) AS run_id
    FROM {per_source} AS o
) AS newest USING (source_id)
ORDER BY s.name;

-- name: columns
-- The columns of a table or view, without those of our own, and the comments on both.
SELECT a.attname, format_type(a.atttypid, NULL), col_description(a.attrelid, a.attnum),
    obj_description(a.attrelid, 'pg_class')
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
    AND coalesce(col_description(a.attrelid, a.attnum), '') NOT LIKE '%% Internal.'
ORDER BY a.attnum;

-- name: settings
-- A cursor that is read to its end is planned for all of its rows; compiling would cost more than it saves.
SELECT set_config('cursor_tuple_fraction', '1', true), set_config('jit', 'off', true);
