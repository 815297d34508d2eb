-- Both sides of a comparison. A name's family is asked for once.
sides AS (
    SELECT 'a' AS side, {columns} FROM {a} AS i WHERE i.source = %(a)s AND i.deleted_at IS NULL
    UNION ALL
    SELECT 'b', {columns} FROM {b} AS i WHERE i.source = %(b)s AND i.deleted_at IS NULL
), families AS MATERIALIZED (
    SELECT n.name, image_family(n.name) AS family
    FROM (SELECT DISTINCT s.name FROM sides AS s WHERE s.name IS NOT NULL) AS n
), members AS MATERIALIZED (
    SELECT row_number() OVER () AS place, s.*, families.family, os.distro, os.release, os.arch,
        coalesce(s.hash_algo || ':' || s.hash_value, 'md5:' || s.checksum) AS hash,
        coalesce(s.created_at, s.first_seen_at) AS born_at,
        true_size(s.kind, s.image_type, s.image_size, s.size) AS size_bytes,
        array_to_string(s.tags, ', ') AS tags_text, array_to_string(s.capabilities, ', ') AS capabilities_text
    FROM sides AS s
    LEFT JOIN families ON families.name = s.name
    LEFT JOIN image_os AS os ON os.source_id = s.source_id AND os.image_id = s.image_id
)
