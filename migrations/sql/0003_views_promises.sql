-- What images promise of themselves (standard SCS 0102), and whether history shows it kept.

-- One row per image and promise. Frequency and provided_until are promises of the name: a newer image of the same line
-- (image_lifecycle) takes them over. An update may come three days late, as the standard allows.
CREATE VIEW image_promises AS
WITH promising AS MATERIALIZED (
    SELECT
        i.source_id, i.image_id, i.deleted_at, i.deletion_reason,
        lower(btrim(i.properties ->> 'replace_frequency')) AS replace_frequency,
        lower(btrim(i.properties ->> 'provided_until')) AS provided_until,
        lower(btrim(i.properties ->> 'uuid_validity')) AS uuid_validity,
        i.properties ->> 'hotfix_hours' AS hotfix_hours
    FROM images AS i
    WHERE i.properties ?| '{provided_until,replace_frequency,uuid_validity,hotfix_hours}'
), lives AS MATERIALIZED (  -- of their lines alone
    SELECT
        m.source, m.source_id, m.image_id, m.family, m.line, m.born_at, m.standing, m.since,
        CASE WHEN m.line IS NOT NULL THEN
            lead(m.born_at) OVER (PARTITION BY m.source_id, m.line ORDER BY m.born_at, m.image_id)
        END AS next_born_at
    FROM image_standings AS m
    WHERE (m.source_id, m.line) IN (
            SELECT f.source_id, image_line(f.family, f.arch, f.purpose, f.owner_hash)
            FROM promising AS p
            JOIN image_state AS f ON f.source_id = p.source_id AND f.image_id = p.image_id
        )
        OR m.line IS NULL AND (m.source_id, m.image_id) IN (SELECT p.source_id, p.image_id FROM promising AS p)
), lines AS (  -- asked of images that are gone only
    SELECT l.source_id, l.line, array_agg(l.born_at) AS births
    FROM lives AS l
    WHERE (l.source_id, l.line) IN (
        SELECT o.source_id, o.line
        FROM promising AS p
        JOIN lives AS o ON o.source_id = p.source_id AND o.image_id = p.image_id
        WHERE p.uuid_validity ~ '^last-' AND p.deleted_at IS NOT NULL
    )
    GROUP BY l.source_id, l.line
), taken_back AS (  -- a day that was promised, and then an earlier one or none
    SELECT r.source_id, r.image_id, key.name AS promise, min(r.valid_from) AS since,
        min(promised_day(r.changed -> key.name ->> 0)) AS day
    FROM revisions AS r
    CROSS JOIN (VALUES ('provided_until'), ('uuid_validity')) AS key (name)
    WHERE r.changed ?| '{provided_until,uuid_validity}' AND r.changed ? key.name
        AND promised_day(r.changed -> key.name ->> 0) >= (r.valid_from AT TIME ZONE 'UTC')::date
        AND promised_day(r.changed -> key.name ->> 0)
            > coalesce(promised_day(r.changed -> key.name ->> 1), '-infinity')
        AND coalesce(r.changed -> key.name ->> 1, 'none') NOT IN ('forever', 'notice')
    GROUP BY r.source_id, r.image_id, key.name
), given AS (
    SELECT
        p.*,
        l.source, l.family, l.standing, l.born_at, l.next_born_at, lines.births,
        CASE WHEN l.standing = 'gone' THEN p.deleted_at ELSE coalesce(l.since, (
            SELECT CASE l.standing
                WHEN 'deactivated' THEN t.deactivated_since
                WHEN 'hidden' THEN t.hidden_since
                WHEN 'off_shelf' THEN t.off_shelf_since
            END
            FROM image_turns AS t
            WHERE t.source_id = l.source_id AND t.image_id = l.image_id
        )) END AS left_at,
        promised_day(p.provided_until) AS until,
        l.standing NOT IN ('offered', 'superseded', 'deprecated', 'obsolete') AS left_offer,
        (
            SELECT min(a.announced_at)
            FROM image_announcements AS a
            WHERE a.source_id = p.source_id
                AND (a.scope = 'image' AND a.subject = p.image_id OR a.scope = 'family' AND a.subject = l.family)
        ) AS announced_at,
        CASE p.replace_frequency
            WHEN 'yearly' THEN interval '1 year' WHEN 'quarterly' THEN interval '3 months'
            WHEN 'monthly' THEN interval '1 month' WHEN 'weekly' THEN interval '7 days'
            WHEN 'daily' THEN interval '1 day'
        END + interval '3 days' AS period
    FROM promising AS p
    JOIN lives AS l ON l.source_id = p.source_id AND l.image_id = p.image_id
    LEFT JOIN lines ON lines.source_id = l.source_id AND lines.line = l.line
), judged AS (
    -- kept NULL: history can't tell. broken_since of what is kept is dropped below.
    SELECT
        g.source_id, g.image_id, 'replace_frequency' AS promise, g.replace_frequency AS value,
        CASE
            WHEN g.period IS NOT NULL THEN (
                least(g.next_born_at, CASE WHEN g.left_offer THEN g.left_at END, now()) > g.born_at + g.period
                AND (g.until IS NULL OR g.born_at + g.period < g.until + 1)
            ) IS NOT TRUE
            WHEN g.replace_frequency = 'never' THEN
                g.next_born_at IS NULL OR coalesce((g.next_born_at AT TIME ZONE 'UTC')::date > g.until, false)
        END AS kept,
        CASE WHEN g.replace_frequency = 'never' THEN g.next_born_at ELSE g.born_at + g.period END AS broken_since,
        CASE
            WHEN g.period IS NULL AND g.replace_frequency <> 'never' THEN 'history does not tell whether there was need'
            WHEN g.next_born_at IS NOT NULL THEN
                format('replaced after %s days', floor(extract(epoch FROM g.next_born_at - g.born_at) / 86400))
            WHEN g.left_offer THEN format('%s before it was due', g.standing)
            ELSE format('not replaced for %s days', floor(extract(epoch FROM now() - g.born_at) / 86400))
        END AS evidence
    FROM given AS g
    WHERE g.replace_frequency IS NOT NULL
    UNION ALL
    SELECT
        g.source_id, g.image_id, 'provided_until', g.provided_until,
        CASE
            WHEN g.until IS NULL AND g.provided_until <> 'notice' THEN NULL
            WHEN g.next_born_at IS NOT NULL OR NOT g.left_offer THEN true
            WHEN g.until IS NULL THEN coalesce(g.announced_at <= g.left_at, false)
            ELSE (g.left_at AT TIME ZONE 'UTC')::date > g.until
        END,
        g.left_at,
        CASE
            WHEN g.until IS NULL AND g.provided_until <> 'notice' THEN 'names no day'
            WHEN g.next_born_at IS NOT NULL THEN 'a newer image took its place'
            WHEN NOT g.left_offer THEN 'still offered'
            WHEN g.until IS NULL AND g.announced_at IS NULL THEN format('%s without notice', g.standing)
            ELSE format('%s on %s, and nothing took its place', g.standing, (g.left_at AT TIME ZONE 'UTC')::date)
        END
    FROM given AS g
    WHERE g.provided_until <> 'none'
    UNION ALL
    SELECT
        g.source_id, g.image_id, 'uuid_validity', g.uuid_validity,
        CASE
            WHEN g.uuid_validity !~ '^(forever|notice|last-[0-9]{1,6})$' AND promised_day(g.uuid_validity) IS NULL THEN NULL
            WHEN g.deleted_at IS NULL OR g.uuid_validity <> 'forever' AND (g.deleted_at AT TIME ZONE 'UTC')::date > g.until THEN true
            WHEN g.uuid_validity = 'forever' THEN false
            WHEN g.uuid_validity = 'notice' THEN coalesce(g.announced_at <= g.deleted_at, false)
            WHEN g.uuid_validity ~ '^last-' THEN newer.images >= substr(g.uuid_validity, 6)::integer
            ELSE (g.deleted_at AT TIME ZONE 'UTC')::date > promised_day(g.uuid_validity)
        END,
        g.deleted_at,
        CASE
            WHEN g.deleted_at IS NULL THEN 'still there'
            WHEN g.uuid_validity ~ '^last-' THEN
                format('gone (%s) when %s newer ones were there', g.deletion_reason, newer.images)
            ELSE format('gone (%s) on %s', g.deletion_reason, (g.deleted_at AT TIME ZONE 'UTC')::date)
        END
    FROM given AS g
    CROSS JOIN LATERAL (
        SELECT count(*) AS images FROM unnest(g.births) AS birth WHERE birth > g.born_at AND birth <= g.deleted_at
    ) AS newer
    WHERE g.uuid_validity <> 'none'
    UNION ALL
    SELECT
        g.source_id, g.image_id, 'hotfix_hours', g.hotfix_hours, NULL, NULL,
        'history does not tell when fixes came out'
    FROM given AS g
    WHERE g.hotfix_hours IS NOT NULL
    UNION ALL
    SELECT
        t.source_id, t.image_id, t.promise, t.day::text, false, t.since,
        format('taken back on %s', (t.since AT TIME ZONE 'UTC')::date)
    FROM taken_back AS t
)
SELECT
    s.name AS source,
    j.image_id,
    i.name,
    j.promise,
    j.value,
    j.kept,
    CASE WHEN NOT j.kept THEN j.broken_since END AS broken_since,
    j.evidence,
    j.source_id
FROM judged AS j
JOIN sources AS s ON s.source_id = j.source_id
JOIN images AS i ON i.source_id = j.source_id AND i.image_id = j.image_id
WHERE (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW image_promises IS 'What images promise of themselves (standard SCS 0102), and whether history shows it kept: one row per image and promise. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN image_promises.source IS 'Name of the source.';
COMMENT ON COLUMN image_promises.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_promises.name IS 'Name as last known. Upstream: name.';
COMMENT ON COLUMN image_promises.promise IS 'replace_frequency, provided_until (both of the name: a newer image of the family takes them over), uuid_validity, hotfix_hours.';
COMMENT ON COLUMN image_promises.value IS 'What is promised, as delivered: monthly, 2027-12-31, last-3, ... Upstream: the key of that name.';
COMMENT ON COLUMN image_promises.kept IS 'True: kept so far; false: broken; NULL = history can''t tell.';
COMMENT ON COLUMN image_promises.broken_since IS 'Since when it is broken. Unit: UTC.';
COMMENT ON COLUMN image_promises.evidence IS 'What history shows.';
COMMENT ON COLUMN image_promises.source_id IS 'Key of the source, for joins with the tables.';
