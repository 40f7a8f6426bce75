select
    interval_key,
    seconds,
    position,
    coalesce(seconds < 86400, false) as is_intraday
from (
    values
    ('1m', 60, 1),
    ('3m', 180, 2),
    ('5m', 300, 3),
    ('15m', 900, 4),
    ('30m', 1800, 5),
    ('1h', 3600, 6),
    ('2h', 7200, 7),
    ('4h', 14400, 8),
    ('6h', 21600, 9),
    ('8h', 28800, 10),
    ('12h', 43200, 11),
    ('1d', 86400, 12),
    ('3d', 259200, 13),
    ('1w', 604800, 14),
    ('1mo', null, 15)
) as intervals (interval_key, seconds, position)
