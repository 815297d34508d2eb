-- help: One image's life, oldest first; IMAGE is its id, the beginning of it (8 characters or more), or its
--     name. With --limit its latest part.
-- takes: source, since, image, change, field, tag, limit
-- of: c.source
SELECT c.changed_at, c.observed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text, c.new_text,
    c.deletion_reason, c.owner, c.owner_name
FROM (
    SELECT c.*
    FROM image_changes AS c
    WHERE c.image_id = %(image)s AND c.source_id = ANY (%(source_ids)s::text[])
        AND (%(since)s::timestamptz IS NULL OR c.changed_at >= %(since)s::timestamptz)
        AND {wanted}
    ORDER BY c.changed_at DESC, c.source, c.field DESC NULLS LAST
    LIMIT %(limit)s
) AS c
ORDER BY c.source, c.changed_at, c.field NULLS FIRST
