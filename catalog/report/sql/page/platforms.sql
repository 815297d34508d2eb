-- Live images by operating system, in one vocabulary, and source.
SELECT coalesce(f.distro, 'unknown') AS platform, s.name AS source, count(*) AS images
FROM image_state AS f
JOIN sources AS s ON s.source_id = f.source_id
WHERE f.live AND s.name = ANY (%(sources)s)
GROUP BY 1, 2
