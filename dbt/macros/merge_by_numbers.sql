{#
  dbt's own merge, after a look at what it merges: without it, Postgres takes a temporary table for a
  large one, and reads the whole fact to put a few rows into it.
#}
{% macro postgres__get_incremental_merge_sql(arg_dict) -%}
    analyze {{ arg_dict['temp_relation'] }};
    {{ dbt.default__get_incremental_merge_sql(arg_dict) }}
{%- endmacro %}
