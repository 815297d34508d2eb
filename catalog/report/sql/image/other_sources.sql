-- Other sources that hold the image, and whether they look at the same service and region.
SELECT v.source, i.name, i.status, i.visibility, i.deleted_at,
    v.service = own.service AND v.region IS NOT DISTINCT FROM own.region AS same_service
FROM source_services AS own
JOIN source_services AS v ON v.source_id <> own.source_id
JOIN images AS i ON i.source_id = v.source_id AND i.image_id = %(image)s
WHERE own.source_id = %(source)s
ORDER BY v.source
