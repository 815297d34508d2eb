-- How images stand to one another: image_lineage (what was made from what), and image_family, what names have in common.

-- Each image's line of ancestors inside its source, image by image, so that a question for one follows no other. A parent
-- id may name the image itself, close a circle, or name an image that this source never saw: the line ends there and
-- says so.
CREATE VIEW image_lineage AS
SELECT
    s.name AS source,
    i.image_id,
    l.ancestor_id,
    l.depth,
    CASE
        WHEN l.is_loop THEN 'loop'
        WHEN a.image_id IS NULL THEN 'missing'
        WHEN a.deleted_at IS NOT NULL THEN 'deleted'
        ELSE 'live'
    END AS ancestor_state,
    a.name AS ancestor_name,
    i.source_id
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
CROSS JOIN LATERAL (
    WITH RECURSIVE line AS (
        SELECT i.image_id AS ancestor_id, 0 AS depth, i.parent_image_id COLLATE "C" AS next_id
        UNION ALL
        SELECT l.next_id, l.depth + 1, (
            SELECT parent.parent_image_id COLLATE "C"
            FROM images AS parent
            WHERE parent.source_id = i.source_id AND parent.image_id = l.next_id
        )
        FROM line AS l
        WHERE l.next_id IS NOT NULL AND l.depth < 100
    ) CYCLE ancestor_id SET is_loop USING path
    SELECT line.ancestor_id, line.depth, line.is_loop FROM line WHERE line.depth > 0
) AS l
LEFT JOIN images AS a ON a.source_id = i.source_id AND a.image_id = l.ancestor_id
WHERE i.parent_image_id IS NOT NULL;

COMMENT ON VIEW image_lineage IS 'Ancestors of images that name a parent, deleted images included: one row per image and ancestor, at most 100 generations.';
COMMENT ON COLUMN image_lineage.source IS 'Name of the source.';
COMMENT ON COLUMN image_lineage.image_id IS 'Image whose ancestors these are. Upstream: id.';
COMMENT ON COLUMN image_lineage.ancestor_id IS 'Image it was made from, directly (depth 1) or by way of others. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN image_lineage.depth IS 'Generations between the two; 1 = the parent. Unit: generations.';
COMMENT ON COLUMN image_lineage.ancestor_state IS 'live; deleted; missing (this source never saw it: another project''s, or gone before); loop (an id that stood in the line before, the image itself included: the line ends).';
COMMENT ON COLUMN image_lineage.ancestor_name IS 'Name of the ancestor as last known; NULL = missing. Upstream: name.';
COMMENT ON COLUMN image_lineage.source_id IS 'Key of the source, for joins with the tables.';


-- The family of a name: the first rule that matches, by rank; without one, the name itself.
-- Sweeps tell it by the same rules (catalog/systems.py), once for each name; image_os has the result.
CREATE FUNCTION image_family(image_name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(
        (
            SELECT regexp_replace(image_name, rule.pattern, rule.family)
            FROM image_family_rules AS rule
            WHERE image_name ~ rule.pattern
            ORDER BY rule.rank
            LIMIT 1
        ),
        image_name
    );
END;

COMMENT ON FUNCTION image_family(text) IS
    'Family of an image''s name: the replacement of the first rule of image_family_rules that matches, else the name.';
