-- Images by capability and operating system (one vocabulary) that support it, or say that they don't.
WITH live AS (
    SELECT f.source_id, f.image_id, coalesce(f.distro, 'unknown') AS platform
    FROM image_state AS f
    JOIN sources AS s ON s.source_id = f.source_id
    WHERE f.live AND s.name = ANY (%(sources)s)
), per_platform AS (
    SELECT l.source_id, l.platform, count(*) AS images FROM live AS l GROUP BY l.source_id, l.platform
), told AS (
    SELECT l.source_id, i.capability, l.platform, count(*) FILTER (WHERE i.supported) AS supported,
        count(*) FILTER (WHERE NOT i.supported) AS not_supported
    FROM image_capabilities AS i
    JOIN live AS l ON l.source_id = i.source_id AND l.image_id = i.image_id
    GROUP BY l.source_id, i.capability, l.platform
)
SELECT t.capability, coalesce(c.family, 'other') AS family, c.description, t.platform,
    sum(p.images)::bigint AS images,
    -- An inverted key says only what is missing: an image that says nothing supports it.
    sum(CASE WHEN c.inverted THEN p.images - t.not_supported ELSE t.supported END)::bigint AS supported,
    sum(t.not_supported)::bigint AS not_supported
FROM told AS t
JOIN per_platform AS p ON p.source_id = t.source_id AND p.platform = t.platform
LEFT JOIN capabilities AS c ON c.capability = t.capability
GROUP BY t.capability, c.family, c.description, t.platform
ORDER BY 2, t.capability
