-- Keys of one image that have no column of their own.
SELECT p.name, p.value
FROM image_properties AS p
WHERE p.source_id = %(source)s AND p.image_id = %(image)s
ORDER BY p.name
