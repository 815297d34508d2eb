-- Live images and their bytes by age in days, each image counted once.
SELECT width_bucket(extract(epoch FROM %(now)s - born_at)::numeric / 86400,
    ARRAY[7, 30, 90, 180, 365, 730, 1825]::numeric[]) AS bucket, count(*) AS images,
    sum(size_bytes)::numeric AS bytes
FROM ({distinct}) AS d
GROUP BY bucket
