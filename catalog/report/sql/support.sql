-- help: Live images past, or within 90 days of, the end of their system's free support.
-- takes: source
-- retired: left out
-- of: o.source
SELECT o.source, o.image_id, i.name, o.distro, o.release, o.support_phase, o.support_ends_on,
    o.support_ends_on - (now() AT TIME ZONE 'UTC')::date AS days_left, o.paid_support_ends_on
FROM image_os AS o
JOIN images AS i ON i.source_id = o.source_id AND i.image_id = o.image_id
WHERE o.live AND i.deleted_at IS NULL AND {sources}
    AND (o.support_ends_on <= (now() AT TIME ZONE 'UTC')::date + 90
        OR o.support_ends_on IS NULL AND o.support_phase IN ('ended', 'extended'))
ORDER BY o.support_ends_on NULLS FIRST, o.source, o.distro, o.release, i.name, o.image_id
