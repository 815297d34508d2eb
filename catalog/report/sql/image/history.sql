-- The revisions of one image, newest first, from after a place on.
SELECT r.valid_from, r.valid_to, r.observed_at, r.recorded_at, r.change, r.changed, r.document, r.run_id
FROM image_revisions AS r
WHERE r.source_id = %(source)s AND r.image_id = %(image)s
    AND (%(after_at)s::timestamptz IS NULL OR r.valid_from < %(after_at)s::timestamptz)
ORDER BY r.valid_from DESC
LIMIT %(limit)s
