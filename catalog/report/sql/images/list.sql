-- The images that fit, from a place in their order on. Which ones is told by few columns, before all are read. OFFSET 0:
-- conditions that the planner can't judge are not tried along an index, image by image.
WITH places AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT i.source_id, i.image_id, {key} AS sort_key, i.source, i.name IS NULL AS nameless, {name} AS sort_name
        {fitting}    AND ({after})
        OFFSET 0
    ) AS f
    ORDER BY {order}
    LIMIT %(limit)s
)
SELECT i.source, i.image_id, i.name, i.status, i.visibility, {os_text} AS os, os.arch, os.purpose, i.owner,
    p.name AS owner_name, i.created_at, i.updated_at,
    true_size(i.kind, i.image_type, i.image_size, i.size) AS size_bytes, i.min_ram AS min_ram_mb,
    i.min_disk AS min_disk_gb, i.tags, i.capabilities, i.platform, i.os_type, i.os_version, i.disk_format,
    i.protected, i.hidden, i.unlisted_since, i.first_seen_at, i.last_changed_at, i.deleted_at,
    i.deletion_reason{more}
FROM places AS f
JOIN {images} AS i ON i.source_id = f.source_id AND i.image_id = f.image_id
LEFT JOIN {systems} AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
LEFT JOIN projects AS p ON p.source_id = i.source_id AND p.project_id = i.owner
ORDER BY {order}
