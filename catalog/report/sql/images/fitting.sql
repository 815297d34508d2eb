-- Images now or as of a moment, live or deleted ones, that fit all conditions.
FROM {images} AS i
LEFT JOIN {systems} AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
LEFT JOIN projects AS p ON p.source_id = i.source_id AND p.project_id = i.owner
WHERE i.source = ANY (%(sources)s::text[]) AND (i.deleted_at IS NOT NULL) = %(deleted)s
    AND (%(text)s::text IS NULL OR strpos(lower(i.name), lower(%(text)s)) > 0
        OR strpos(lower(i.image_id), lower(%(text)s)) > 0)
    AND (%(status)s::text IS NULL OR i.status = %(status)s)
    AND (%(visibility)s::text IS NULL OR i.visibility = %(visibility)s)
    AND (%(owner)s::text IS NULL OR i.owner = %(owner)s OR lower(p.name) = lower(%(owner)s))
    AND (%(image_kind)s::text IS NULL OR i.image_kind = %(image_kind)s)
    AND (%(tags)s::text[] IS NULL OR i.tags @> %(tags)s::text[])
    AND (%(capabilities)s::text[] IS NULL OR i.capabilities @> %(capabilities)s::text[])
    -- rhel-9 means 9.4 as well
    AND (%(os)s::text IS NULL OR os.distro = lower(%(os)s)
        OR starts_with(lower({os_text}) || '.', lower(%(os)s) || '.'))
    AND (%(arch)s::text IS NULL OR os.arch = lower(%(arch)s))
    {of_state}
