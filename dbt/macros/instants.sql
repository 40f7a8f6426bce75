{# Midnight UTC of a date, as an instant, independent of the session's time zone. #}
{% macro midnight_utc(date) -%}
    (({{ date }})::timestamp at time zone 'UTC')
{%- endmacro %}

{# The dim_date key of an instant's UTC day, such as 20240131. #}
{% macro date_key(instant) -%}
    to_char(({{ instant }}) at time zone 'UTC', 'YYYYMMDD')::integer
{%- endmacro %}

{#
  The dim_date key of a requested instant, clamped to dim_date's first and last day, because requests
  may reach to the year 9999.
#}
{% macro date_key_within(instant) -%}
    {{ date_key(
        "greatest(least(" ~ instant ~ ", " ~ midnight_utc("'" ~ var('last_date') ~ "'::date") ~ "), "
        ~ midnight_utc("'" ~ var('first_date') ~ "'::date") ~ ")"
    ) }}
{%- endmacro %}

{# The dim_time key of an instant's UTC minute: 1405 for 14:05. #}
{% macro time_key(instant) -%}
    to_char(({{ instant }}) at time zone 'UTC', 'HH24MI')::integer
{%- endmacro %}

{# Bounds before and after every instant at which a dimension's version is looked up. #}
{% macro always_before() -%} '1900-01-01 00:00+00'::timestamptz {%- endmacro %}
{% macro always_after() -%} '9999-12-31 00:00+00'::timestamptz {%- endmacro %}
