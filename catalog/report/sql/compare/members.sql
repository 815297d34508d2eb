-- Both sides of a comparison; of one source at two moments, only what changed between them.
sides AS (
    SELECT 'a' AS side, {columns}, os.family, os.distro, os.release, os.arch
    FROM {a} AS i
    LEFT JOIN {a_systems} AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
    WHERE i.source = %(a)s AND i.deleted_at IS NULL
    {changed}
    UNION ALL
    SELECT 'b', {columns}, os.family, os.distro, os.release, os.arch
    FROM {b} AS i
    LEFT JOIN {b_systems} AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
    WHERE i.source = %(b)s AND i.deleted_at IS NULL
    {changed}
), members AS MATERIALIZED (
    SELECT row_number() OVER () AS place, s.*,
        coalesce(s.hash_algo || ':' || s.hash_value, 'md5:' || s.checksum) AS hash,
        coalesce(s.created_at, s.first_seen_at) AS born_at,
        true_size(s.kind, s.image_type, s.image_size, s.size) AS size_bytes,
        array_to_string(s.tags, ', ') AS tags_text, array_to_string(s.capabilities, ', ') AS capabilities_text
    FROM sides AS s
)
