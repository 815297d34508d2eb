-- help: Live images by platform.
-- takes: source, as_of
-- retired: left out
-- of: live.source
SELECT coalesce(live.platform, '(none)') AS platform, count(*) AS images,
    count(DISTINCT live.source) AS sources,
    round(sum(true_size(live.kind, live.image_type, live.image_size, live.size)) / 1073741824.0, 1)
        AS size_gib,
    max(live.created_at) AS newest_created_at
FROM {live} AS live
WHERE {sources}
GROUP BY live.platform
ORDER BY images DESC, live.platform
