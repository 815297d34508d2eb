-- help: How many live images support each capability, say that they don't, and on which platforms.
-- takes: source
-- retired: left out
-- of: m.source
SELECT m.capability, m.family, sum(m.supported)::bigint AS supported,
    sum(m.not_supported)::bigint AS not_supported, count(DISTINCT m.source) AS sources,
    array_agg(DISTINCT m.platform ORDER BY m.platform)
        FILTER (WHERE m.supported > 0 AND m.platform IS NOT NULL) AS platforms
FROM capability_matrix AS m
WHERE {sources}
GROUP BY m.capability, m.family
ORDER BY m.family, m.capability
