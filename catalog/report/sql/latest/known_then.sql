-- Images as the catalog knew them at a moment: by the last observation up to it, not by what later ones dated back. So
-- the answer stays the same, whatever is observed afterwards.
SELECT DISTINCT ON (r.source_id, r.image_id) r.source_id, r.image_id, r.name, r.status, r.visibility, r.created_at,
    r.hidden, r.is_off_shelved, r.image_kind, r.tags, r.capabilities, r.properties, r.platform, r.os_version,
    r.os_type, r.os_bit, r.architecture, r.deleted_at
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE s.name = ANY (%(sources)s::text[]) AND r.observed_at <= %(as_of)s
ORDER BY r.source_id, r.image_id, r.observed_at DESC
