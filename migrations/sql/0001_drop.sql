DROP VIEW image_lineage, deleted_images, status_durations, image_changes, image_revisions,
    source_freshness, capability_matrix, distinct_images, source_services, live_image_tags, image_overview;
DROP FUNCTION image_family(text), true_size(text, text, bigint, bigint), images_as_of(timestamptz),
    plain_text(jsonb), history_is_pruned(text, timestamptz, timestamptz);
DROP TYPE image_as_of;
DROP TABLE stage, leases, image_family_rules, projects, kept_images, held_deletions, forgotten_runs, rejections, rejected_records, run_passes,
    runs, lookups, absences, id_sets, observations, revision_documents, revisions, status_history, image_properties,
    capabilities, image_capabilities, image_tags, image_state, images, sources;
