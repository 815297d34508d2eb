-- The latest changes of one image, newest first; a new updated_at alone is left out.
SELECT c.changed_at, c.change, c.field, c.old_text, c.new_text, c.deletion_reason, c.run_id
FROM image_changes AS c
WHERE c.source_id = %(source)s AND c.image_id = %(image)s AND c.field IS DISTINCT FROM 'updated_at'
ORDER BY c.changed_at DESC, c.field NULLS FIRST
LIMIT %(limit)s
