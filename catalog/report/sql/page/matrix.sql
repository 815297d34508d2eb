-- Images by capability and operating system that support it, or say that they don't.
SELECT m.capability, m.family, c.description, coalesce(m.platform, 'unknown') AS platform,
    sum(m.images)::bigint AS images,
    -- An inverted key says only what is missing: an image that says nothing supports it.
    sum(CASE WHEN c.inverted THEN m.images - m.not_supported ELSE m.supported END)::bigint AS supported,
    sum(m.not_supported)::bigint AS not_supported
FROM capability_matrix AS m
LEFT JOIN capabilities AS c ON c.capability = m.capability
WHERE m.source = ANY (%(sources)s)
GROUP BY m.capability, m.family, c.description, m.platform
ORDER BY m.family, m.capability
