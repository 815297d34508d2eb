-- Live images by age in days, each image counted once.
SELECT width_bucket(extract(epoch FROM %(now)s - born_at)::numeric / 86400,
    ARRAY[7, 30, 90, 180, 365, 730, 1825]::numeric[]) AS bucket, count(*) AS images
FROM ({distinct}) AS d
GROUP BY bucket
