DROP VIEW image_lifecycle, image_lineage, deleted_images, status_durations, image_changes, image_revisions,
    source_freshness, capability_matrix, distinct_images, source_services, image_overview;
DROP FUNCTION image_family(text), true_size(text, text, bigint, bigint), images_as_of(timestamptz),
    plain_text(jsonb), history_is_pruned(text, timestamptz, timestamptz);
ALTER TABLE image_family_rules DROP CONSTRAINT ck_image_family_rules_pattern;
DELETE FROM image_family_rules WHERE builtin;
DELETE FROM capabilities;
