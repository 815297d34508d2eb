{#- The catalog as of a moment, an expression of SQL: one row per image known by then, deleted ones included. -#}
{% macro images_as_of(moment) -%}
{{ source('image_catalog', 'images').schema }}.images_as_of({{ moment }})
{%- endmacro %}
