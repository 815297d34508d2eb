-- help: One row per source: images live; new, changed and gone in a day, a week, a month (30 days).
-- takes: source, as_of
-- retired: left out
-- of: s.name
WITH asked AS (
    SELECT coalesce(%(as_of)s::timestamptz, now()) AS moment
), wanted AS (  -- first, so that one source's answer reads the rows of that one
    SELECT s.* FROM sources AS s WHERE {sources}
), present AS (
    SELECT live.source_id, count(*) AS images FROM {live} AS live JOIN wanted USING (source_id) GROUP BY live.source_id
), events AS (
    SELECT r.source_id, r.image_id, moment - r.valid_from AS age,
        r.change IN ('created', 'restored') AS new,
        r.change IN ('updated', 'replaced') AS changed,
        r.change = 'deleted' AND r.period_from = r.valid_from AS gone
    FROM revisions AS r JOIN wanted USING (source_id), asked
    WHERE r.valid_from > moment - interval '30 days' AND r.valid_from <= moment
), flow AS (
    SELECT source_id,
        count(DISTINCT image_id) FILTER (WHERE new AND age < interval '1 day') AS new_1d,
        count(DISTINCT image_id) FILTER (WHERE new AND age < interval '7 days') AS new_7d,
        count(DISTINCT image_id) FILTER (WHERE new) AS new_30d,
        count(DISTINCT image_id) FILTER (WHERE changed AND age < interval '1 day') AS changed_1d,
        count(DISTINCT image_id) FILTER (WHERE changed AND age < interval '7 days') AS changed_7d,
        count(DISTINCT image_id) FILTER (WHERE changed) AS changed_30d,
        count(DISTINCT image_id) FILTER (WHERE gone AND age < interval '1 day') AS gone_1d,
        count(DISTINCT image_id) FILTER (WHERE gone AND age < interval '7 days') AS gone_7d,
        count(DISTINCT image_id) FILTER (WHERE gone) AS gone_30d
    FROM events
    GROUP BY source_id
)
SELECT s.name AS source, coalesce(p.images, 0) AS live,
    coalesce(new_1d, 0) AS new_1d, coalesce(new_7d, 0) AS new_7d,
    coalesce(new_30d, 0) AS new_30d, coalesce(changed_1d, 0) AS changed_1d,
    coalesce(changed_7d, 0) AS changed_7d, coalesce(changed_30d, 0) AS changed_30d,
    coalesce(gone_1d, 0) AS gone_1d, coalesce(gone_7d, 0) AS gone_7d,
    coalesce(gone_30d, 0) AS gone_30d, CASE
        WHEN %(as_of)s::timestamptz IS NULL THEN least(s.last_complete_at, s.last_complete_ended_at)
        WHEN s.last_complete_at <= %(as_of)s::timestamptz THEN s.last_complete_at
        ELSE c.last_complete_at
    END AS last_complete_at
FROM wanted AS s
LEFT JOIN present AS p ON p.source_id = s.source_id
LEFT JOIN flow AS f ON f.source_id = s.source_id
LEFT JOIN (
    SELECT o.source_id, max(o.observed_at) AS last_complete_at FROM observations AS o
    WHERE o.complete AND o.observed_at <= %(as_of)s::timestamptz
    GROUP BY o.source_id
) AS c ON c.source_id = s.source_id
ORDER BY s.name
