-- Images that changed, came and went in the last seven days.
SELECT count(DISTINCT (r.source_id, r.image_id)) FILTER (WHERE r.change IN ('updated', 'replaced')) AS changed,
    count(DISTINCT (r.source_id, r.image_id)) FILTER (WHERE r.change IN ('created', 'restored')) AS came,
    count(DISTINCT (r.source_id, r.image_id)) FILTER (WHERE r.change = 'deleted' AND r.period_from = r.valid_from) AS went
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE r.valid_from > %(now)s - interval '7 days' AND r.valid_from <= %(now)s AND s.name = ANY (%(sources)s)
