-- The latest changes; a new updated_at alone is not one.
SELECT r.valid_from, s.name AS source, r.image_id, r.name, r.change, r.changed, r.deletion_reason,
    coalesce(p.name, r.owner) AS owner
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
LEFT JOIN projects AS p ON p.source_id = r.source_id AND p.project_id = r.owner
WHERE s.name = ANY (%(sources)s) AND r.valid_from <= %(now)s
    AND (r.change <> 'updated' OR r.changed - 'updated_at' <> '{}')
ORDER BY r.valid_from DESC, r.source_id, r.image_id
LIMIT %(latest)s
