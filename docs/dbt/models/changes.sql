{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['source_id', 'image_id']) }}
-- Whole images anew, by the time when rows were recorded, as rows may be dated back. Of each source by its own time: sweeps
-- of two overlap, and the one that recorded first may end last. Rows of an image that `backfill --forget` or
-- `sources remove` takes out whole stay until `dbt run --full-refresh`.
SELECT * FROM {{ source('image_catalog', 'image_changes') }}
{% if is_incremental() %}
WHERE (source_id, image_id) IN (
    SELECT c.source_id, c.image_id FROM {{ source('image_catalog', 'image_changes') }} AS c
    LEFT JOIN (SELECT source_id, max(recorded_at) AS recorded_at FROM {{ this }} GROUP BY source_id) AS known
        ON known.source_id = c.source_id
    WHERE c.recorded_at > coalesce(known.recorded_at, '-infinity'))
{% endif %}
