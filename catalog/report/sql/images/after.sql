-- Condition: the image comes after a place in the order. What is not known comes last, whichever way.
CASE
    WHEN ({key}) {beyond} %(after_key)s::{type} THEN true
    WHEN ({key}) IS NOT DISTINCT FROM %(after_key)s::{type} THEN
        ({tie}) > (
            %(after_source)s::text, %(after_name)s::text IS NULL, coalesce(left(lower(%(after_name)s::text), 200), ''),
            %(after_image)s::text
        )
    ELSE ({key}) IS NULL
END
