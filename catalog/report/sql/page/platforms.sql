-- Live images by operating system and source.
SELECT coalesce(os.distro, i.platform, 'unknown') AS platform, s.name AS source, count(*) AS images
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN image_os AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
GROUP BY 1, 2
