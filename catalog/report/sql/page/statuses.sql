-- Status periods: under way, ended, and how long they took.
SELECT d.status, count(*) FILTER (WHERE d.left_at IS NULL) AS now, count(d.left_at) AS ended,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY d.seconds) FILTER (WHERE d.left_at IS NOT NULL) AS median,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY d.seconds) FILTER (WHERE d.left_at IS NOT NULL) AS high,
    min(d.entered_at) FILTER (WHERE d.left_at IS NULL) AS oldest
FROM status_durations AS d
WHERE d.source = ANY (%(sources)s) AND d.status <> 'deleted'
GROUP BY d.status
ORDER BY now DESC, d.status
