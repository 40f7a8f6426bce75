{# Midnight UTC of a date, as an instant: whatever the session's time zone is. #}
{% macro midnight_utc(date) -%}
    (({{ date }})::timestamp at time zone 'UTC')
{%- endmacro %}

{# The key of dim_date that an instant falls on in UTC: 20240131. #}
{% macro date_key(instant) -%}
    to_char(({{ instant }}) at time zone 'UTC', 'YYYYMMDD')::integer
{%- endmacro %}
