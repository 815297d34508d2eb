-- Condition: can be chosen for a new server; not a moment of an old one, and not announced to go.
i.status = 'active' AND i.hidden IS NOT TRUE AND i.is_off_shelved IS NOT TRUE AND NOT i.unlisted
    AND coalesce(i.image_kind NOT IN ('snapshot', 'backup'), true)
    AND (least(own.deprecated_at, own.obsolete_at, families.deprecated_at, families.obsolete_at)
        <= coalesce(%(as_of)s, now())) IS NOT TRUE
    AND (i.purpose IS DISTINCT FROM 'oldgeneric' OR %(purpose)s = 'oldgeneric')
