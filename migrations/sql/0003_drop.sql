DROP VIEW image_promises, equivalent_images, image_lifecycle, announcements_in_force, image_os, os_support_now;
DROP FUNCTION promised_day(text);
DROP INDEX ix_revisions_withdrawn, ix_revisions_promises, ix_images_promising;
DROP TABLE image_os_rules, os_support, image_announcements;
