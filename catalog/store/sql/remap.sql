-- `catalog remap`: typed columns follow the stored documents by today's mapping. Rows that stay equal are
-- not written. The stage holds one row per document; `present` marks the last one of an image.
-- {fields}: typed columns that revisions and images share; {owner_hash}: image_state's.

-- name: documents
-- Stored records in the order of their key.
SELECT d.image_id, d.observed_at, d.document::text,
    d.observed_at = (SELECT max(l.observed_at) FROM revision_documents l
        WHERE l.source_id = %(source)s AND l.image_id = d.image_id) AS present,
    coalesce(r.reported, false)
FROM revision_documents d LEFT JOIN revisions r USING (source_id, image_id, observed_at)
WHERE d.source_id = %(source)s AND (d.image_id, d.observed_at) > (%(image)s, %(at)s)
ORDER BY d.image_id, d.observed_at LIMIT %(step)s;

-- name: records
-- Revisions of the records themselves.
UPDATE revisions r
SET ({fields}, tags, capabilities, properties, content_hash)
    = ({s_fields}, s.tags, s.capabilities, s.properties, s.content_hash)
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s
    AND {shard(r, s)} AND r.image_id = s.image_id AND r.observed_at = s.observed_at
    AND ({r_fields}, r.tags, r.capabilities, r.properties, r.content_hash)
        IS DISTINCT FROM ({s_fields}, s.tags, s.capabilities, s.properties, s.content_hash);

-- name: absences
-- The deletion right after a record shows what the record held.
UPDATE revisions r
SET ({fields}, tags, capabilities, properties) = ({s_fields}, s.tags, s.capabilities, s.properties)
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s
    AND {shard(r, s)} AND r.image_id = s.image_id AND r.content_hash IS NULL
    AND r.observed_at > s.observed_at
    AND (SELECT true FROM revisions x WHERE x.source_id = %(source)s AND x.image_id = r.image_id
        AND x.content_hash IS NOT NULL AND x.observed_at > s.observed_at AND x.observed_at < r.observed_at
        LIMIT 1) IS NULL
    AND ({r_fields}, r.tags, r.capabilities, r.properties)
        IS DISTINCT FROM ({s_fields}, s.tags, s.capabilities, s.properties);

-- name: images
-- What `images` shows.
UPDATE images i
SET ({fields}, tags, capabilities, properties) = ({s_fields}, s.tags, s.capabilities, s.properties)
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present
    AND {shard(i, s)} AND i.image_id = s.image_id
    AND ({i_fields}, i.tags, i.capabilities, i.properties)
        IS DISTINCT FROM ({s_fields}, s.tags, s.capabilities, s.properties);

-- name: state
-- Fingerprints.
UPDATE image_state f SET content_hash = s.content_hash
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present
    AND {shard(f, s)} AND f.image_id = s.image_id
    AND f.content_hash IS NOT NULL AND f.content_hash <> s.content_hash;

-- name: systems
-- What image_os tells, by today's rules, and what images are compared by.
UPDATE image_state f
SET (distro, release, arch, purpose, family, created_at, owner_hash)
    = (s.distro, s.release, s.arch, s.purpose, s.family, s.created_at, {owner_hash})
FROM stage s
WHERE s.run_id = %(run)s AND s.batch = %(batch)s AND s.present
    AND {shard(f, s)} AND f.image_id = s.image_id
    AND (f.distro, f.release, f.arch, f.purpose, f.family, f.created_at, f.owner_hash)
        IS DISTINCT FROM (s.distro, s.release, s.arch, s.purpose, s.family, s.created_at, {owner_hash});
