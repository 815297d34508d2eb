-- The observation in which the last revision of one image begins.
SELECT r.observed_at FROM revisions AS r
WHERE r.source_id = %(source)s AND r.image_id = %(image)s AND r.valid_to IS NULL
