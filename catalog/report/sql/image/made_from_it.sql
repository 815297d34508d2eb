-- What was made from it: depth -1. A query of its own, as on Citus a function tells the lineage, source by source.
SELECT -1 AS depth, i.image_id, i.name, CASE WHEN i.deleted_at IS NULL THEN 'live' ELSE 'deleted' END AS state
FROM images AS i
WHERE i.source_id = %(source)s AND i.parent_image_id = %(image)s AND i.image_id <> %(image)s
ORDER BY i.image_id
