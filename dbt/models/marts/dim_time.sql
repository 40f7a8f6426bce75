select
    minute_of_day / 60 * 100 + minute_of_day % 60 as time_key,
    make_time(minute_of_day / 60, minute_of_day % 60, 0) as time_at,
    minute_of_day / 60 as hour,
    minute_of_day % 60 as minute,
    minute_of_day,
    case
        when minute_of_day < 480 then 'asia'
        when minute_of_day < 780 then 'europe'
        when minute_of_day < 1260 then 'america'
        else 'pacific'
    end as trading_hours
from generate_series(0, 1439) as minutes (minute_of_day)
