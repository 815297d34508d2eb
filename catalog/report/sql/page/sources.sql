-- Each source, how fresh it is, and its live images.
SELECT f.source, s.kind, s.region, f.last_complete_at, f.expected_seconds, f.stale, f.failing_since,
    f.error_kind, f.held, f.retired_at, coalesce(live.images, 0) AS images, s.observed_since,
    s.source_id, f.failures, f.next_due_at
FROM source_freshness AS f
JOIN sources AS s ON s.source_id = f.source_id
LEFT JOIN (
    SELECT i.source_id, count(*) AS images FROM image_state AS i WHERE i.live GROUP BY i.source_id
) AS live ON live.source_id = f.source_id
WHERE f.source = ANY (%(sources)s)
ORDER BY f.retired_at IS NOT NULL, f.source
