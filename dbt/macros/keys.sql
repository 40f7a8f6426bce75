{# The key of dim_source: who answered, and whether the internet or the replay did. #}
{% macro source_key(source, origin) -%}
    md5({{ source }} || '|' || coalesce({{ origin }}, 'unknown'))::uuid
{%- endmacro %}

{# The key of dim_strategy: its name and the hash of its source code. #}
{% macro strategy_key(strategy, digest) -%}
    md5({{ strategy }} || '|' || {{ digest }})::uuid
{%- endmacro %}

{# The member that a fact or a dimension names where nobody was named. #}
{% macro nobody() -%}
    '00000000-0000-0000-0000-000000000000'::uuid
{%- endmacro %}
