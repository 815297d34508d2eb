-- The status periods of one image, oldest first.
SELECT d.status, d.entered_at, d.left_at, round(d.seconds)::bigint AS seconds
FROM status_durations AS d
WHERE d.source_id = %(source)s AND d.image_id = %(image)s
ORDER BY d.entered_at
