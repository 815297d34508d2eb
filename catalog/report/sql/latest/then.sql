-- The same as of a moment. What rules told of an image holds for then, too, if it said the same of itself; the systems of
-- the others are handed in.
WITH known AS MATERIALIZED (
    {known}
), unlisted AS MATERIALIZED (  -- what the last complete observation up to then did not list
    SELECT o.source_id, unnest(d.image_ids) COLLATE "C" AS image_id
    FROM (
        SELECT DISTINCT ON (o.source_id) o.source_id, o.inconclusive_set
        FROM observations AS o
        WHERE o.complete AND o.observed_at <= %(as_of)s
        ORDER BY o.source_id, o.observed_at DESC
    ) AS o
    JOIN id_sets AS d ON d.source_id = o.source_id AND d.set_id = o.inconclusive_set
    WHERE d.kind IN ('unanswered', 'held', 'kept', 'found')
)
SELECT i.source_id, s.name AS source, s.region, i.image_id, i.name, i.status, i.visibility, i.created_at, i.hidden,
    i.is_off_shelved, i.image_kind, i.tags, i.capabilities, u.image_id IS NOT NULL AS unlisted,
    CASE WHEN t.image_id IS NULL THEN f.distro ELSE t.distro END AS distro,
    CASE WHEN t.image_id IS NULL THEN f.release ELSE t.release END AS release,
    CASE WHEN t.image_id IS NULL THEN f.arch ELSE t.arch END AS arch,
    CASE WHEN t.image_id IS NULL THEN f.purpose ELSE t.purpose END AS purpose,
    CASE WHEN t.image_id IS NULL THEN f.family ELSE t.family END AS family
FROM known AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN image_state AS f ON f.source_id = i.source_id AND f.image_id = i.image_id
LEFT JOIN unlisted AS u ON u.source_id = i.source_id AND u.image_id = i.image_id
LEFT JOIN unnest(
    %(source_ids)s::text[], %(image_ids)s::text[], %(distros)s::text[], %(releases)s::text[], %(arches)s::text[],
    %(purposes)s::text[], %(families)s::text[]
) AS t (source_id, image_id, distro, release, arch, purpose, family)
    ON t.source_id = i.source_id AND t.image_id = i.image_id
WHERE i.deleted_at IS NULL
