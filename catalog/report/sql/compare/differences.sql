-- What two sets of live images, `a` and `b`, lack of one another, and how those that belong together differ. They belong
-- together by their id; else by the hash of their data, those of one name first; else by system, release, architecture,
-- visibility and family: of several the newest with the newest. Each image belongs to one at most. Grouped, not joined:
-- of how many there are the planner knows nothing, and would try each with each.
WITH {members}, by_id AS (
    SELECT min(m.place) FILTER (WHERE m.side = 'a') AS a, min(m.place) FILTER (WHERE m.side = 'b') AS b
    FROM members AS m
    GROUP BY m.image_id
    HAVING count(*) = 2
), rest_1 AS (
    SELECT m.*, row_number() OVER (
            PARTITION BY m.side, m.hash, m.name ORDER BY m.born_at DESC, m.image_id
        ) AS namesake
    FROM members AS m
    WHERE m.place NOT IN (SELECT a FROM by_id UNION ALL SELECT b FROM by_id)
), by_hash_and_name AS (
    SELECT min(r.place) FILTER (WHERE r.side = 'a') AS a, min(r.place) FILTER (WHERE r.side = 'b') AS b
    FROM rest_1 AS r
    WHERE r.hash IS NOT NULL AND r.name IS NOT NULL
    GROUP BY r.hash, r.name, r.namesake
    HAVING count(*) = 2
), rest_2 AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.side, r.hash ORDER BY r.born_at DESC, r.image_id) AS turn
    FROM rest_1 AS r
    WHERE r.place NOT IN (SELECT a FROM by_hash_and_name UNION ALL SELECT b FROM by_hash_and_name)
), by_hash AS (
    SELECT min(r.place) FILTER (WHERE r.side = 'a') AS a, min(r.place) FILTER (WHERE r.side = 'b') AS b
    FROM rest_2 AS r
    WHERE r.hash IS NOT NULL
    GROUP BY r.hash, r.turn
    HAVING count(*) = 2
), rest_3 AS (
    SELECT r.*, row_number() OVER (
            PARTITION BY r.side, r.distro, r.release, r.arch, r.visibility, r.family
            ORDER BY r.born_at DESC, r.image_id
        ) AS os_turn
    FROM rest_2 AS r
    WHERE r.place NOT IN (SELECT a FROM by_hash UNION ALL SELECT b FROM by_hash)
), by_os AS (
    SELECT min(r.place) FILTER (WHERE r.side = 'a') AS a, min(r.place) FILTER (WHERE r.side = 'b') AS b
    FROM rest_3 AS r
    WHERE r.family IS NOT NULL
    GROUP BY r.distro, r.release, r.arch, r.visibility, r.family, r.os_turn
    HAVING count(*) = 2
), pairs AS (
    SELECT a, b, 'id' AS matched_by FROM by_id
    UNION ALL SELECT a, b, 'hash' FROM by_hash_and_name
    UNION ALL SELECT a, b, 'hash' FROM by_hash
    UNION ALL SELECT a, b, 'os' FROM by_os
)
SELECT 'differs' AS difference, p.matched_by, a.name, part.field, part.a_value, part.b_value,
    a.image_id AS a_image_id, b.image_id AS b_image_id
FROM pairs AS p
JOIN members AS a ON a.place = p.a
JOIN members AS b ON b.place = p.b
CROSS JOIN LATERAL (VALUES
    ('name', a.name, b.name), ('status', a.status, b.status), ('visibility', a.visibility, b.visibility),
    ('owner', a.owner, b.owner), ('protected', a.protected::text, b.protected::text),
    ('hidden', a.hidden::text, b.hidden::text), ('disk_format', a.disk_format, b.disk_format),
    ('size_bytes', a.size_bytes::text, b.size_bytes::text), ('hash', a.hash, b.hash),
    ('created_at', to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        to_char(b.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
    ('min_ram_mb', a.min_ram::text, b.min_ram::text), ('min_disk_gb', a.min_disk::text, b.min_disk::text),
    ('platform', a.platform, b.platform), ('os_version', a.os_version, b.os_version),
    ('architecture', a.architecture, b.architecture), ('tags', a.tags_text, b.tags_text),
    ('capabilities', a.capabilities_text, b.capabilities_text)
) AS part (field, a_value, b_value)
WHERE part.a_value IS DISTINCT FROM part.b_value
    -- no two places take an upload of the same data in the same second
    AND NOT (p.matched_by = 'hash' AND part.field = 'created_at')
UNION ALL
SELECT 'only in ' || m.side, NULL, m.name, NULL, NULL, NULL,
    CASE WHEN m.side = 'a' THEN m.image_id END, CASE WHEN m.side = 'b' THEN m.image_id END
FROM members AS m
WHERE m.place NOT IN (SELECT a FROM pairs UNION ALL SELECT b FROM pairs)
ORDER BY 1 DESC, 3, 7, 8, 4
