-- About how many images there are; until that was analyzed, by the room that they take.
SELECT coalesce(nullif(greatest(reltuples, 0), 0), pg_relation_size(oid) / 1000)::bigint
FROM pg_class WHERE oid = 'images'::regclass
