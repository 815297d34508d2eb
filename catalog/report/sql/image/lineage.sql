-- What one image was made from: depth 1, 2, ...
SELECT l.depth, l.ancestor_id AS image_id, l.ancestor_name AS name, l.ancestor_state AS state
FROM image_lineage AS l
WHERE l.source_id = %(source)s AND l.image_id = %(image)s
ORDER BY l.depth DESC
