{#
  dbt's own merge after analysing the new rows. Without statistics, Postgres assumes a large table
  and reads the whole fact to merge a few rows.
#}
{% macro postgres__get_incremental_merge_sql(arg_dict) -%}
    analyze {{ arg_dict['temp_relation'] }};
    {{ dbt.default__get_incremental_merge_sql(arg_dict) }}
{%- endmacro %}
