-- Names of the sources that are not retired, or were not as of a moment.
SELECT s.name FROM sources AS s
WHERE s.retired_at IS NULL OR s.retired_at > coalesce(%(as_of)s::timestamptz, now())
ORDER BY s.name
