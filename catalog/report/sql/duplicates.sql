-- help: Names that several live images of a source share.
-- takes: source, as_of
-- retired: left out
-- of: live.source
SELECT live.source, live.name, count(*) AS images, count(DISTINCT live.owner) AS owners,
    min(live.created_at) AS oldest_created_at, max(live.created_at) AS newest_created_at,
    (array_agg(live.image_id ORDER BY live.created_at DESC NULLS LAST, live.image_id))[1] AS newest_id
FROM {live} AS live
WHERE live.name IS NOT NULL AND {sources}
GROUP BY live.source, live.name
HAVING count(*) > 1
ORDER BY images DESC, live.source, live.name
