-- Live images and their bytes, each image counted once.
SELECT count(*) AS images, sum(size_bytes)::numeric AS bytes FROM ({distinct}) AS d
