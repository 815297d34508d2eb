-- help: One image's life, oldest first; IMAGE is its id or its name.
-- takes: source, since, image
-- of: c.source
SELECT c.changed_at, c.observed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text,
    c.new_text
FROM image_changes AS c
JOIN (
    SELECT i.source_id, i.image_id FROM images AS i WHERE i.image_id = %(image)s OR i.name = %(image)s
) AS asked ON asked.source_id = c.source_id AND asked.image_id = c.image_id
WHERE (%(since)s::timestamptz IS NULL OR c.changed_at >= %(since)s::timestamptz)
    AND c.field IS DISTINCT FROM 'updated_at' AND {sources}
ORDER BY c.source, c.image_id, c.changed_at, c.field NULLS FIRST
