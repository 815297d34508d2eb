-- help: Live images by operating system.
-- takes: source, as_of
-- retired: left out
-- of: live.source
SELECT coalesce(f.distro, '(none)') AS platform, count(*) AS images,
    count(DISTINCT live.source) AS sources,
    round(sum(true_size(live.kind, live.image_type, live.image_size, live.size)) / 1073741824.0, 1)
        AS size_gib,
    max(live.created_at) AS newest_created_at
FROM {live} AS live
LEFT JOIN {systems} AS f ON f.source_id = live.source_id AND f.image_id = live.image_id
WHERE {sources}
GROUP BY f.distro
ORDER BY images DESC, f.distro
