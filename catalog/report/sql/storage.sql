-- help: GiB-months by month (UTC), source, owner and kind; --since, default 12 months. What several
--     projects see counts once, with its owner's source.
-- takes: source, since, as_of
-- of: s.name
WITH asked AS (
    SELECT coalesce(%(as_of)s::timestamptz, now()) AS ends,
        date_trunc('month', coalesce(%(since)s::timestamptz,
            coalesce(%(as_of)s::timestamptz, now()) - interval '11 months'), 'UTC') AS begins
), months AS (
    SELECT month AT TIME ZONE 'UTC' AS starts,
        (month + interval '1 month') AT TIME ZONE 'UTC' AS stops
    FROM asked,
        generate_series(begins AT TIME ZONE 'UTC', ends AT TIME ZONE 'UTC', interval '1 month')
            AS month
), copies AS (
    SELECT i.source_id, i.image_id, row_number() OVER (
        PARTITION BY v.service, v.region, i.image_id
        ORDER BY s.project_id IS NOT DISTINCT FROM i.owner DESC, s.name
    ) AS place
    FROM images AS i
    JOIN source_services AS v ON v.source_id = i.source_id
    JOIN sources AS s ON s.source_id = i.source_id
    WHERE {sources}
), held AS (
    SELECT r.source_id, r.owner, coalesce(r.image_kind, r.image_type, 'image') AS kind,
        true_size(s.kind, r.image_type, r.image_size, r.size) / 1073741824::float8 AS gib,
        m.starts, date_part('epoch', least(r.valid_to, asked.ends, m.stops)
            - greatest(r.valid_from, m.starts)) / date_part('epoch', m.stops - m.starts) AS share
    FROM revisions AS r
    JOIN sources AS s ON s.source_id = r.source_id
    CROSS JOIN asked
    JOIN months AS m ON r.valid_from < m.stops AND (r.valid_to IS NULL OR r.valid_to > m.starts)
    WHERE r.deleted_at IS NULL AND r.valid_from < asked.ends AND {sources}
        AND NOT EXISTS (
            SELECT FROM copies AS c
            WHERE c.place > 1 AND c.source_id = r.source_id AND c.image_id = r.image_id
        )
)
SELECT to_char(t.starts AT TIME ZONE 'UTC', 'YYYY-MM') AS month, s.name AS source, t.owner,
    p.name AS owner_name, t.kind, round(t.images::numeric, 1) AS images_on_average,
    round(t.gib_months::numeric, 2) AS gib_months
FROM (
    SELECT starts, source_id, owner, kind, sum(share) AS images, sum(gib * share) AS gib_months
    FROM held
    GROUP BY starts, source_id, owner, kind
) AS t
JOIN sources AS s ON s.source_id = t.source_id
LEFT JOIN projects AS p ON p.source_id = t.source_id AND p.project_id = t.owner
ORDER BY t.starts DESC, gib_months DESC NULLS LAST, s.name, t.owner, t.kind
