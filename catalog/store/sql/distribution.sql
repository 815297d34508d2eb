-- How Citus keeps our tables.

-- name: has_citus
-- Whether the extension is there.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus');

-- name: make_leases
-- One for each source, as questions about many sources go by them there: a restored catalog has none.
INSERT INTO leases (source_id, fence) SELECT source_id, 0 FROM sources ON CONFLICT DO NOTHING;

-- name: workers
-- How many nodes hold shards.
SELECT count(*) FROM pg_dist_node WHERE shouldhaveshards AND isactive;

-- name: spread
-- Those of our tables that it keeps.
SELECT c.relname FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('catalog_schema_version'));

-- name: on_every_node
-- A small table.
SELECT create_reference_table(%(table)s);

-- name: by_source
-- A table with rows of sources; those of one source together with its rows in other tables.
SELECT create_distributed_table(%(table)s, 'source_id', colocate_with => %(beside)s);

-- name: function
-- A function that queries on the nodes may call.
SELECT create_distributed_function(%(function)s);

-- name: as_of
-- The body of images_as_of, where it is one that is planned without its parameter.
SELECT pg_get_function_sqlbody(oid) FROM pg_proc
WHERE oid = 'images_as_of(timestamptz)'::regprocedure AND prosqlbody IS NOT NULL;

-- name: replace_as_of
-- The same query, planned with it. It is not inlined, so conditions on sources do not reach it: `catalog.sources`, a
-- setting of the transaction, names those that are asked about, all if it is not set.
CREATE OR REPLACE FUNCTION images_as_of(moment timestamptz) RETURNS SETOF image_as_of
LANGUAGE plpgsql STABLE ROWS 100000
AS $$
#variable_conflict use_column
BEGIN
    PERFORM history_is_pruned(s.name, s.history_from, moment) FROM sources AS s WHERE s.history_from > moment
        AND coalesce(s.name = ANY (nullif(current_setting('catalog.sources', true), '')::text[]), true);
    RETURN QUERY {query}
        AND coalesce(s.name = ANY (nullif(current_setting('catalog.sources', true), '')::text[]), true);
END
$$;

-- name: view
-- The query of a view.
SELECT pg_get_viewdef(to_regclass(%(name)s));

-- name: lineage_of_source
-- What the view of migrations tells, of one source: Citus plans a recursion where each table's shard is known.
CREATE OR REPLACE FUNCTION lineage_of_source(asked text) RETURNS TABLE (
    source text, image_id text, ancestor_id text, depth integer, ancestor_state text, ancestor_name text, source_id text)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE line AS (
        SELECT i.image_id, i.image_id AS ancestor_id, 0 AS depth, i.parent_image_id COLLATE "C" AS next_id,
            ARRAY[i.image_id] AS path, false AS is_loop
        FROM images AS i
        WHERE i.source_id = asked AND i.parent_image_id IS NOT NULL
        UNION ALL
        SELECT l.image_id, l.next_id, l.depth + 1, (
            SELECT parent.parent_image_id COLLATE "C" FROM images AS parent
            WHERE parent.source_id = asked AND parent.image_id = l.next_id
        ), l.path || l.next_id, l.next_id = ANY (l.path)
        FROM line AS l
        WHERE l.next_id IS NOT NULL AND l.depth < 100 AND NOT l.is_loop
    )
    SELECT s.name, l.image_id, l.ancestor_id, l.depth,
        CASE
            WHEN l.is_loop THEN 'loop'
            WHEN a.image_id IS NULL THEN 'missing'
            WHEN a.deleted_at IS NOT NULL THEN 'deleted'
            ELSE 'live'
        END,
        a.name, s.source_id
    FROM line AS l
    JOIN sources AS s ON s.source_id = asked
    LEFT JOIN images AS a ON a.source_id = asked AND a.image_id = l.ancestor_id
    WHERE l.depth > 0;
END
$$;

-- name: comment_lineage
-- For who looks at the database.
COMMENT ON FUNCTION lineage_of_source(text) IS 'What image_lineage tells of one source; asked: its source_id.';

-- name: replace_lineage
-- Of each source that is asked about.
CREATE OR REPLACE VIEW image_lineage AS
SELECT s.name AS source, l.image_id COLLATE "C" AS image_id, l.ancestor_id COLLATE "C" AS ancestor_id, l.depth,
    l.ancestor_state, l.ancestor_name, s.source_id
FROM sources AS s CROSS JOIN LATERAL lineage_of_source(s.source_id) AS l;
