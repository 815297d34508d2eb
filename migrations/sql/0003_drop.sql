DROP VIEW image_os, os_support_now;
DROP TABLE image_os_rules, os_support;
