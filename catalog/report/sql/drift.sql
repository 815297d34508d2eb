-- help: The same image in several sources with different attributes: one row per value, with who
--     says so.
-- takes: source, as_of
-- retired: left out
-- of: live.source
WITH copies AS (
    SELECT live.*, count(*) OVER (PARTITION BY live.image_id) AS seen
    FROM {live} AS live
    WHERE {sources}
), told AS (
    SELECT c.image_id, c.source, part.field, part.value
    FROM copies AS c
    CROSS JOIN LATERAL (VALUES
        ('name', c.name), ('status', c.status), ('visibility', c.visibility), ('owner', c.owner),
        ('protected', c.protected::text), ('hidden', c.hidden::text), ('disk_format', c.disk_format),
        ('size_bytes', true_size(c.kind, c.image_type, c.image_size, c.size)::text),
        ('checksum', c.checksum), ('hash_value', c.hash_value), ('min_ram_mb', c.min_ram::text),
        ('min_disk_gb', c.min_disk::text), ('platform', c.platform), ('os_version', c.os_version),
        ('architecture', c.architecture), ('tags', array_to_string(c.tags, ', ')),
        ('capabilities', array_to_string(c.capabilities, ', '))
    ) AS part (field, value)
    WHERE c.seen > 1
), voices AS (
    SELECT image_id, field, value, array_agg(source ORDER BY source) AS sources,
        count(*) OVER (PARTITION BY image_id, field) AS values
    FROM told
    GROUP BY image_id, field, value
)
SELECT v.image_id, v.field, v.value, v.sources
FROM voices AS v
WHERE v.values > 1
ORDER BY v.image_id, v.field, v.value
