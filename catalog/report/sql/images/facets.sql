-- How many of the images that fit each source, system, state, tag, capability and owner has; the most frequent values.
WITH fitting AS MATERIALIZED (
    SELECT i.source_id, i.image_id, i.source, os.distro, coalesce(p.name, i.owner) AS owner, i.tags, i.capabilities
    {fitting}
), counted AS (
    SELECT 'source' AS facet, f.source AS value, count(*) AS images FROM fitting AS f GROUP BY f.source
    UNION ALL
    SELECT 'os', f.distro, count(*) FROM fitting AS f GROUP BY f.distro
    UNION ALL
    SELECT 'owner', f.owner, count(*) FROM fitting AS f GROUP BY f.owner
    UNION ALL
    SELECT 'tag', t.tag, count(*) FROM fitting AS f CROSS JOIN LATERAL unnest(f.tags) AS t (tag) GROUP BY t.tag
    UNION ALL
    SELECT 'capability', t.capability, count(*)
    FROM fitting AS f CROSS JOIN LATERAL unnest(f.capabilities) AS t (capability) GROUP BY t.capability
    {states}
), placed AS (
    SELECT c.facet, c.value, c.images,
        row_number() OVER (PARTITION BY c.facet ORDER BY c.images DESC, c.value) AS place
    FROM counted AS c
    WHERE c.value IS NOT NULL
)
SELECT p.facet, p.value, p.images FROM placed AS p WHERE p.place <= %(most)s
UNION ALL
SELECT 'total', NULL, (SELECT count(*) FROM fitting)
ORDER BY 1, 3 DESC, 2
