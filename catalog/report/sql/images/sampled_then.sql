-- A share of the images as they were at a moment.
(
    SELECT * FROM {images} AS i
    WHERE abs(hashtextextended(i.image_id, 0) %% 1000000) < %(percent)s::float8 * 10000
)
