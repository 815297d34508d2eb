-- help: What changed, newest first; --since, default 7 days. A new updated_at alone is left out.
-- takes: source, since
-- of: c.source
SELECT c.changed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text, c.new_text
FROM image_changes AS c
WHERE c.changed_at >= coalesce(%(since)s::timestamptz, now() - interval '7 days')
    AND c.field IS DISTINCT FROM 'updated_at' AND {sources}
ORDER BY c.changed_at DESC, c.source, c.image_id, c.field NULLS FIRST
