-- The images that were found already.
(
    SELECT i.* FROM unnest(%(source_ids)s::text[], %(image_ids)s::text[]) AS f (source_id, image_id)
    JOIN {images} AS i ON i.source_id = f.source_id AND i.image_id = f.image_id
)
