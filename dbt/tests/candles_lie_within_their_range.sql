-- high ≥ max(open, close), low ≤ min(open, close), and a candle closes after it opened.
select instrument_key, interval_key, opened_at, open, high, low, close, volume
from {{ ref('fct_candle') }}
where
    not (
        low > 0
        and low <= least(open, close)
        and high >= greatest(open, close)
        and volume >= 0
        and closed_at > opened_at
        and split_factor > 0
        and series_revision >= revision
    )
