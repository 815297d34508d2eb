-- The system of each image as of a moment: today's, but of images that changed afterwards the one that is handed in.
(
    SELECT f.source_id, f.image_id, f.distro, f.release, f.arch, f.purpose, f.family
    FROM image_state AS f
    WHERE (f.source_id, f.image_id) NOT IN (
        SELECT * FROM unnest(%(then_source_ids)s::text[], %(then_image_ids)s::text[])
    )
    UNION ALL
    SELECT t.source_id COLLATE "C", t.image_id COLLATE "C", t.distro, t.release, t.arch, t.purpose, t.family
    FROM unnest(
        %(then_source_ids)s::text[], %(then_image_ids)s::text[], %(then_distros)s::text[], %(then_releases)s::text[],
        %(then_arches)s::text[], %(then_purposes)s::text[], %(then_families)s::text[]
    ) AS t (source_id, image_id, distro, release, arch, purpose, family)
)
