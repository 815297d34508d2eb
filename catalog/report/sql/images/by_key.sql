-- The image of this id in one source, deleted or not.
SELECT i.source_id, s.name AS source, i.image_id, i.name, i.status, i.visibility, i.created_at, i.deleted_at
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
WHERE i.source_id = %(source)s AND i.image_id = %(image)s
