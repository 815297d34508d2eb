-- Each live image once, however many sources see it; of those asked for, the freshest copy.
SELECT DISTINCT ON (v.service, v.region, i.image_id)
    true_size(s.kind, i.image_type, i.image_size, i.size) AS size_bytes,
    coalesce(i.created_at, i.first_seen_at) AS born_at
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
JOIN source_services AS v ON v.source_id = i.source_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
ORDER BY v.service, v.region, i.image_id, i.updated_at DESC NULLS LAST
