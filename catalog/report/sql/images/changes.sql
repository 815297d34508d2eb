-- Revisions that changed more than updated_at, newest first, from after a place on.
SELECT r.valid_from AS changed_at, r.observed_at, s.name AS source, r.source_id, r.image_id, r.name, r.change, r.changed,
    r.deletion_reason, r.owner, p.name AS owner_name, r.run_id
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
LEFT JOIN projects AS p ON p.source_id = r.source_id AND p.project_id = r.owner
WHERE s.name = ANY (%(sources)s::text[]) AND r.valid_from >= %(since)s::timestamptz
    AND (r.change <> 'updated' OR r.changed - 'updated_at' <> '{}')
    AND (%(change)s::text[] IS NULL OR r.change = ANY (%(change)s::text[]))
    AND (%(field)s::text[] IS NULL OR r.changed ?| %(field)s::text[])
    AND (%(tag)s::text[] IS NULL OR r.tags @> %(tag)s::text[])
    AND (%(after_at)s::timestamptz IS NULL OR r.valid_from <= %(after_at)s::timestamptz AND (
        r.valid_from < %(after_at)s::timestamptz
        OR (r.source_id, r.image_id) > (%(after_source)s::text, %(after_image)s::text)
    ))
ORDER BY r.valid_from DESC, r.source_id, r.image_id
LIMIT %(limit)s
