"""`catalog web`: pages and an API to look at the catalog with, read-only."""
