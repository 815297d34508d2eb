-- Images by state of their life, and how many of them have a successor.
SELECT l.state, count(*) AS images, count(l.use_instead_id) AS replaced
FROM image_lifecycle AS l
WHERE l.source = ANY (%(sources)s) AND l.state <> 'gone'
GROUP BY l.state
