{#
  Wilder's means of gains and losses, as an aggregate that serves as a window function: each value
  rests on the one before, which SQL's own aggregates cannot say. The same steps in the same order
  as TA-Lib's RSI takes, so that both agree to the last bits.

  rsi_means(change, period) → {changes seen, at most period; mean gain; mean loss}

  Made anew at the start of each dbt command, one command after the other: Airflow starts several.
  The role is named once more: dbt rolls back before this hook, and Postgres takes back with it the
  role that the profile set. What another role owns, the next builder could not replace.
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
  The index from the means; 0 where the price never moved. After ten thousand candles without a gain
  the mean gain is the least double there is, and Postgres refuses a quotient that is less: 0 too.
#}
{% macro rsi(means, period) -%}
    case
        when {{ means }}[1] < {{ period }} then null
        when {{ means }}[2] + {{ means }}[3] = 0 then 0
        when {{ means }}[2] < 1e-300 and {{ means }}[3] > 1 then 0
        else 100 * ({{ means }}[2] / ({{ means }}[2] + {{ means }}[3]))
    end
{%- endmacro %}
