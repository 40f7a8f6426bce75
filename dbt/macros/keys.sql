{# The key of dim_source: the source, and whether the internet or a replay answered. #}
{% macro source_key(source, origin) -%}
    md5({{ source }} || '|' || coalesce({{ origin }}, 'unknown'))::uuid
{%- endmacro %}

{# The key of dim_strategy: the strategy's name and the hash of its source code. #}
{% macro strategy_key(strategy, digest) -%}
    md5({{ strategy }} || '|' || {{ digest }})::uuid
{%- endmacro %}

{# The member for facts and dimensions without a known one. #}
{% macro nobody() -%}
    '00000000-0000-0000-0000-000000000000'::uuid
{%- endmacro %}
