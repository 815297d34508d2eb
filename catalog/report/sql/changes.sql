-- help: What changed, newest first, and whose it is; --since, default 7 days. A new updated_at alone is left
--     out.
-- takes: source, since, change, field, tag, limit
-- of: c.source
SELECT c.changed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text, c.new_text, c.deletion_reason,
    c.owner, c.owner_name
FROM image_changes AS c
WHERE c.changed_at >= coalesce(%(since)s::timestamptz, now() - interval '7 days') AND {wanted} AND {sources}
ORDER BY c.changed_at DESC, c.source, c.image_id, c.field NULLS FIRST
LIMIT %(limit)s
