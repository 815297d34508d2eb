-- help: Images to move away from, and where to; those promised for less than 90 days; with --since
--     also the ones gone since then.
-- takes: source, since
-- retired: left out
-- of: l.source
SELECT l.source, l.image_id, l.name, l.state, l.state_since, l.use_instead_id, l.use_instead_name,
    l.promised_until
FROM image_lifecycle AS l
WHERE {sources} AND CASE l.state
    WHEN 'gone' THEN l.state_since >= %(since)s::timestamptz
    WHEN 'current' THEN l.promised_until < (now() AT TIME ZONE 'UTC')::date + 90
    ELSE %(since)s::timestamptz IS NULL OR l.state_since >= %(since)s::timestamptz
END
ORDER BY l.source, l.family, l.born_at DESC, l.image_id
