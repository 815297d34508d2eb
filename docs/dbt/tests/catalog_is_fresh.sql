-- Sources that are out of date by their own interval.
SELECT source, last_complete_at, error_kind FROM {{ source('image_catalog', 'source_freshness') }} WHERE stale
