-- Images that came and went, by day or week.
SELECT (date_trunc(%(unit)s, r.valid_from, 'UTC') AT TIME ZONE 'UTC')::date AS day,
    count(*) FILTER (WHERE r.change IN ('created', 'restored')) AS came,
    count(*) FILTER (WHERE r.change = 'deleted' AND r.period_from = r.valid_from) AS went
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE r.valid_from >= %(since)s AND r.valid_from <= %(now)s AND r.change <> 'updated'
    AND s.name = ANY (%(sources)s)
GROUP BY 1
