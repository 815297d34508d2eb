-- What one image says of each capability.
SELECT c.capability, c.supported, c.raw_value, c.models
FROM image_capabilities AS c
WHERE c.source_id = %(source)s AND c.image_id = %(image)s
ORDER BY c.capability
