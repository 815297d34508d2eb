-- The image of this id in each source that knows it, deleted or not unless only live ones are meant.
SELECT i.source_id, s.name AS source, i.image_id, i.name, i.status, i.visibility, i.created_at, i.deleted_at
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
WHERE s.name = ANY (%(sources)s::text[]) AND i.image_id = %(image)s
    AND (i.deleted_at IS NULL OR NOT %(live_only)s)
ORDER BY s.name
