DROP TABLE stage, leases, image_family_rules, projects, held_deletions, rejected_records, run_passes, runs,
    look_ups, lacks, id_sets, observations, revision_documents, revisions, status_history, image_properties,
    capabilities, image_capabilities, image_tags, image_state, images, sources;
