    UNION ALL
    SELECT 'state', l.state, count(*)
    FROM fitting AS f JOIN image_lifecycle AS l ON l.source_id = f.source_id AND l.image_id = f.image_id
    GROUP BY l.state
