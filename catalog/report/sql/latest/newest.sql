-- Per source the newest image that fits.
WITH announced AS (  -- what held at the moment asked about
    SELECT DISTINCT ON (a.source_id, a.scope, a.subject) a.*
    FROM image_announcements AS a
    WHERE a.announced_at <= coalesce(%(as_of)s, now())
        AND (a.withdrawn_at IS NULL OR a.withdrawn_at > coalesce(%(as_of)s, now()))
    ORDER BY a.source_id, a.scope, a.subject, a.announced_at DESC
), fitting AS (
    SELECT {chosen}
    FROM ({images}) AS i
    LEFT JOIN announced AS own
        ON own.source_id = i.source_id AND own.scope = 'image' AND own.subject = i.image_id
    LEFT JOIN announced AS families
        ON families.source_id = i.source_id AND families.scope = 'family' AND families.subject = i.family
            AND own.subject IS NULL
    WHERE {conditions}
)
{answer}
