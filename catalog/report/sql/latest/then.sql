-- Live images of a moment, each with its system: those that did not change afterwards are what they were; those that did
-- are handed in with their systems.
WITH recent AS (  -- the last complete observation up to then, and the incomplete ones after it
    SELECT o.source_id, o.observed_at, o.contained_set, o.inconclusive_set
    FROM observations AS o
    JOIN (
        SELECT c.source_id, max(c.observed_at) AS observed_at
        FROM observations AS c
        WHERE c.complete AND c.observed_at <= %(as_of)s
        GROUP BY c.source_id
    ) AS c ON c.source_id = o.source_id AND c.observed_at <= o.observed_at
    WHERE o.observed_at <= %(as_of)s
), told AS (  -- what they missed, and what the incomplete ones listed; what a look-up found was not listed
    SELECT o.source_id, o.observed_at, unnest(d.image_ids) COLLATE "C" AS image_id, d.kind <> 'listed' AS missed
    FROM recent AS o
    JOIN id_sets AS d ON d.source_id = o.source_id
        AND (d.set_id = o.inconclusive_set AND d.kind IN ('unanswered', 'held', 'held_for_login', 'kept', 'found',
                'unlisted', 'unreached')
            OR d.set_id = o.contained_set AND d.kind = 'listed')
), unlisted AS MATERIALIZED (
    SELECT t.source_id, t.image_id
    FROM told AS t
    GROUP BY t.source_id, t.image_id
    HAVING max(t.observed_at) FILTER (WHERE t.missed) >= max(t.observed_at)
), known AS (
    SELECT i.source_id, i.image_id, i.name, i.status, i.visibility, i.created_at, i.hidden, i.is_off_shelved,
        i.image_kind, i.tags, i.capabilities, f.distro, f.release, f.arch, f.purpose, f.family
    FROM image_state AS f
    JOIN images AS i ON i.source_id = f.source_id AND i.image_id = f.image_id
    WHERE i.last_changed_at <= %(as_of)s AND i.deleted_at IS NULL
    UNION ALL
    SELECT r.source_id, r.image_id, r.name, r.status, r.visibility, r.created_at, r.hidden, r.is_off_shelved,
        r.image_kind, r.tags, r.capabilities, t.distro, t.release, t.arch, t.purpose, t.family
    FROM unnest(
        %(then_source_ids)s::text[], %(then_image_ids)s::text[], %(then_distros)s::text[], %(then_releases)s::text[],
        %(then_arches)s::text[], %(then_purposes)s::text[], %(then_families)s::text[]
    ) AS t (source_id, image_id, distro, release, arch, purpose, family)
    JOIN images AS i ON i.source_id = t.source_id AND i.image_id = t.image_id  -- Citus looks up a table's rows only
    CROSS JOIN LATERAL (
        SELECT * FROM revisions AS r
        WHERE r.source_id = i.source_id AND r.image_id = i.image_id AND r.observed_at <= %(as_of)s
        ORDER BY r.observed_at DESC LIMIT 1
    ) AS r
)
SELECT i.*, s.name AS source, s.region, u.image_id IS NOT NULL AS unlisted
FROM known AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN unlisted AS u ON u.source_id = i.source_id AND u.image_id = i.image_id
WHERE s.name = ANY (%(sources)s::text[])
