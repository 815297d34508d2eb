-- Condition: the image is in the state asked for. OFFSET 0: looked for apart from the rest, which Citus could not plan
-- together. IS TRUE: once, into a hash table; as a join it was done for each image where the planner expected one and
-- thousands came.
AND ((i.source_id, i.image_id) IN (
    SELECT l.source_id, l.image_id FROM {view} AS l WHERE l.{column} = %(state)s OFFSET 0)) IS TRUE
