{{ config(materialized='incremental') }}
-- Each month is written once: what is dated back later changes no invoice. A table, as a view of yours on ours would be
-- in the way of the next migration.
{% set month = "date_trunc('month', '" ~ var('closed_month') ~ "'::timestamptz, 'UTC')" %}
SELECT {{ month }} AS month_ended_at, images.*
FROM {{ images_as_of(month) }} AS images
WHERE images.deleted_at IS NULL
{% if is_incremental() %}
    AND NOT EXISTS (SELECT FROM {{ this }} WHERE month_ended_at = {{ month }})
{% endif %}
