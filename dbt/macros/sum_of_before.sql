{#
  The sum of `times` adjacent sums of `candles` candles each. Null until there are enough candles.
#}
{% macro sum_of_before(sum, candles, times, window) -%}
    {{ sum }}
    {%- for place in range(1, times) %} + lag({{ sum }}, {{ candles * place }}) over {{ window }}{% endfor %}
{%- endmacro %}
