select
    {{ date_key(midnight_utc('days.date_on')) }} as date_key,
    days.date_on,
    extract(isoyear from days.date_on)::integer as iso_year,
    extract(week from days.date_on)::integer as iso_week,
    extract(year from days.date_on)::integer as year,
    extract(quarter from days.date_on)::integer as quarter,
    extract(month from days.date_on)::integer as month,
    extract(day from days.date_on)::integer as day,
    extract(isodow from days.date_on)::integer as weekday,
    extract(isodow from days.date_on) > 5 as is_weekend
from (
    select '{{ var("first_date") }}'::date + offset_days as date_on
    from generate_series(
        0, '{{ var("last_date") }}'::date - '{{ var("first_date") }}'::date
    ) as offset_days
) as days
