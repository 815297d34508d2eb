-- help: How many live images support each capability, say that they don't, and on which platforms.
-- takes: source
-- retired: left out
-- of: s.name
SELECT c.capability, coalesce(k.family, 'other') AS family, count(*) FILTER (WHERE c.supported) AS supported,
    count(*) FILTER (WHERE NOT c.supported) AS not_supported, count(DISTINCT c.source_id) AS sources,
    array_agg(DISTINCT f.distro ORDER BY f.distro)
        FILTER (WHERE c.supported AND f.distro IS NOT NULL) AS platforms
FROM image_capabilities AS c
JOIN image_state AS f ON f.source_id = c.source_id AND f.image_id = c.image_id
JOIN sources AS s ON s.source_id = c.source_id
LEFT JOIN capabilities AS k ON k.capability = c.capability
WHERE f.live AND {sources}
GROUP BY c.capability, coalesce(k.family, 'other')
ORDER BY coalesce(k.family, 'other'), c.capability
