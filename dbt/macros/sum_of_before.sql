{#
  The sum of `times` sums of `candles` candles, each of those that end where the next one begins.
  Null until there are enough.
#}
{% macro sum_of_before(sum, candles, times, window) -%}
    {{ sum }}
    {%- for place in range(1, times) %} + lag({{ sum }}, {{ candles * place }}) over {{ window }}{% endfor %}
{%- endmacro %}
