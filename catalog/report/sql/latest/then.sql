-- Live images of a moment, each with its system: those that did not change afterwards are what they were; those that did
-- are handed in with their systems.
WITH unlisted AS MATERIALIZED (  -- what the last complete observation up to then did not list
    SELECT DISTINCT o.source_id, unnest(d.image_ids) COLLATE "C" AS image_id
    FROM (
        SELECT DISTINCT ON (o.source_id) o.source_id, o.inconclusive_set
        FROM observations AS o
        WHERE o.complete AND o.observed_at <= %(as_of)s
        ORDER BY o.source_id, o.observed_at DESC
    ) AS o
    JOIN id_sets AS d ON d.source_id = o.source_id AND d.set_id = o.inconclusive_set
    WHERE d.kind IN ('unanswered', 'held', 'kept', 'found', 'unlisted')
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
