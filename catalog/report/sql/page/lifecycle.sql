-- Live images by state of their life, and how many of them have a successor. Those without a state were never usable.
SELECT coalesce(l.state, %(unfinished)s) AS state, count(*) AS images, count(l.use_instead_id) AS replaced
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN image_lifecycle AS l ON l.source_id = i.source_id AND l.image_id = i.image_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
GROUP BY 1
