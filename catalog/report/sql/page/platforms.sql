-- Live images by platform and source.
SELECT coalesce(i.platform, 'unknown') AS platform, s.name AS source, count(*) AS images
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
GROUP BY 1, 2
