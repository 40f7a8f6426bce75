{#
  Wilder's means of gains and losses, as an aggregate used as a window function: each value depends
  on the previous one, which SQL's own aggregates cannot express. It takes the same steps in the same
  order as TA-Lib's RSI, so that both agree to the last bits.

  rsi_means(change, period) → {changes seen, at most period; mean gain; mean loss}

  Created again at the start of each dbt command, under a lock because Airflow starts several. The
  role is set once more, because dbt rolls back before this hook, which also reverts the profile's
  role. A function owned by another role could not be replaced by the next builder.
#}
{% macro create_rsi_means() %}
{% if target.role %}set local role {{ adapter.quote(target.role) }};{% endif %}
select pg_advisory_xact_lock(hashtext('mela dbt rsi_means'));

create or replace function {{ target.database }}.staging.rsi_means_next(
    means double precision [], change double precision, period integer
) returns double precision [] language plpgsql immutable parallel safe as $$
begin
    if change is null then
        return means;
    elsif means[1] = period then
        return array[
            period,
            (means[2] * (period - 1) + greatest(change, 0)) / period,
            (means[3] * (period - 1) + greatest(-change, 0)) / period
        ];
    elsif means[1] = period - 1 then
        return array[
            period,
            (means[2] + greatest(change, 0)) / period,
            (means[3] + greatest(-change, 0)) / period
        ];
    end if;
    return array[
        means[1] + 1, means[2] + greatest(change, 0), means[3] + greatest(-change, 0)
    ];
end $$;

create or replace aggregate staging.rsi_means(double precision, integer) (
    sfunc = staging.rsi_means_next, stype = double precision [], initcond = '{0,0,0}'
);
{% endmacro %}

{#
  The index from the means; 0 if the price never moved. After ten thousand candles without a gain the
  mean gain is the smallest double, and Postgres rejects a smaller quotient: that gives 0 too.
#}
{% macro rsi(means, period) -%}
    case
        when {{ means }}[1] < {{ period }} then null
        when {{ means }}[2] + {{ means }}[3] = 0 then 0
        when {{ means }}[2] < 1e-300 and {{ means }}[3] > 1 then 0
        else 100 * ({{ means }}[2] / ({{ means }}[2] + {{ means }}[3]))
    end
{%- endmacro %}
