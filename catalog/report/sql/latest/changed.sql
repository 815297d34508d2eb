-- Live images of a moment that changed afterwards, as the catalog knew them: by the last observation up to it, not by
-- what later ones dated back. So the answer stays the same, whatever is observed afterwards.
SELECT i.source_id, i.image_id, r.name, r.platform, r.os_version, r.os_type, r.os_bit, r.architecture, r.capabilities,
    r.properties
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
CROSS JOIN LATERAL (
    SELECT * FROM revisions AS r
    WHERE r.source_id = i.source_id AND r.image_id = i.image_id AND r.observed_at <= %(as_of)s
    ORDER BY r.observed_at DESC LIMIT 1
) AS r
WHERE i.last_changed_at > %(as_of)s AND s.name = ANY (%(sources)s::text[]) AND r.deleted_at IS NULL
