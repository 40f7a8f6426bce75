{#
  The mean of the last candles, from a running total: a moving frame would add them all up again for
  every candle. Null until there are enough.
#}
{% macro mean_of_last(total, candles, window) -%}
    case
        when nth >= {{ candles }}
            then ({{ total }} - lag({{ total }}, {{ candles }}, 0) over {{ window }}) / {{ candles }}
    end
{%- endmacro %}
