-- Live images that said something else of themselves at a moment than the catalog holds now.
WITH known AS (
    {known}
)
SELECT k.source_id, k.image_id, k.name, k.platform, k.os_version, k.os_type, k.os_bit, k.architecture,
    k.capabilities, k.properties
FROM known AS k
LEFT JOIN images AS i ON i.source_id = k.source_id AND i.image_id = k.image_id
WHERE k.deleted_at IS NULL
    AND (k.name, k.platform, k.os_version, k.os_type, k.os_bit, k.architecture, k.capabilities, k.properties)
        IS DISTINCT FROM
        (i.name, i.platform, i.os_version, i.os_type, i.os_bit, i.architecture, i.capabilities, i.properties)
