{# Midnight UTC of a date, as an instant: whatever the session's time zone is. #}
{% macro midnight_utc(date) -%}
    (({{ date }})::timestamp at time zone 'UTC')
{%- endmacro %}

{# The key of dim_date that an instant falls on in UTC: 20240131. #}
{% macro date_key(instant) -%}
    to_char(({{ instant }}) at time zone 'UTC', 'YYYYMMDD')::integer
{%- endmacro %}

{#
  The same of what somebody asked for, who may ask for the year 9999: the first or last day that
  dim_date has.
#}
{% macro date_key_within(instant) -%}
    {{ date_key(
        "greatest(least(" ~ instant ~ ", " ~ midnight_utc("'" ~ var('last_date') ~ "'::date") ~ "), "
        ~ midnight_utc("'" ~ var('first_date') ~ "'::date") ~ ")"
    ) }}
{%- endmacro %}

{# The key of dim_time that an instant falls on in UTC: 1405 for five past two in the afternoon. #}
{% macro time_key(instant) -%}
    to_char(({{ instant }}) at time zone 'UTC', 'HH24MI')::integer
{%- endmacro %}

{# What is before, and what is after all that a version of a dimension can be asked for. #}
{% macro always_before() -%} '1900-01-01 00:00+00'::timestamptz {%- endmacro %}
{% macro always_after() -%} '9999-12-31 00:00+00'::timestamptz {%- endmacro %}
