-- The images that fit, from a place in their order on.
SELECT i.source, i.image_id, i.name, i.status, i.visibility, {os_text} AS os, os.arch, os.purpose, i.owner,
    p.name AS owner_name, i.created_at, i.updated_at,
    true_size(i.kind, i.image_type, i.image_size, i.size) AS size_bytes, i.min_ram AS min_ram_mb,
    i.min_disk AS min_disk_gb, i.tags, i.capabilities, i.platform, i.os_type, i.os_version, i.disk_format,
    i.protected, i.hidden, i.unlisted_since, i.first_seen_at, i.last_changed_at, i.deleted_at,
    i.deletion_reason{more}
{fitting}    AND ({after})
ORDER BY {order}
LIMIT %(limit)s
