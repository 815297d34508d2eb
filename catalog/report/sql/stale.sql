-- help: Sources whose last complete sweep is older than three expected intervals.
-- takes: source
-- of: f.source
SELECT f.source, f.last_complete_at, f.age_seconds, f.expected_seconds, f.failing_since, f.error_kind,
    f.held
FROM source_freshness AS f
WHERE f.stale AND {sources}
ORDER BY f.last_complete_at NULLS FIRST, f.source
