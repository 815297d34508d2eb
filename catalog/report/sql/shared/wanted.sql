-- Condition: a change is one of those that are asked for.
c.field IS DISTINCT FROM 'updated_at'
    AND (%(change)s::text[] IS NULL OR c.change = ANY (%(change)s::text[]))
    AND (%(field)s::text[] IS NULL OR c.field LIKE ANY (%(field)s::text[]))
    AND (%(tag)s::text[] IS NULL OR c.tags @> %(tag)s::text[])
