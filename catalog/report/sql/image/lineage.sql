-- What one image was made from (depth 1, 2, ...), and what was made from it (depth -1).
SELECT l.depth, l.ancestor_id AS image_id, l.ancestor_name AS name, l.ancestor_state AS state
FROM image_lineage AS l
WHERE l.source_id = %(source)s AND l.image_id = %(image)s
UNION ALL
SELECT -1, i.image_id, i.name, CASE WHEN i.deleted_at IS NULL THEN 'live' ELSE 'deleted' END
FROM images AS i
WHERE i.source_id = %(source)s AND i.parent_image_id = %(image)s AND i.image_id <> %(image)s
ORDER BY 1 DESC, 2
