-- The same where Citus keeps them: by the room that they take, as only the nodes know what was analyzed.
SELECT citus_relation_size('images') / 1000
