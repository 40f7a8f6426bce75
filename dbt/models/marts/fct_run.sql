{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    pre_hook='{{ leave_out_pruned_answers() }}',
    indexes=[
        {'columns': ['result_key']},
        {'columns': ['instrument_key', 'strategy_key']},
    ],
) }}

-- Answers never change, so only missing ones are new. Answers whose dimensions are not built yet,
-- such as a scene published in the meantime, wait for the next build.
with answers as (
    select answers.*
    from {{ ref('stg_ops__scene_runs') }} as answers
    {% if is_incremental() %}
    where not exists (
        select from {{ this }} as here
        where here.scene_key = answers.scene_id and here.run_key = answers.run_key
    )
    {% endif %}
)

select
    scenes.scene_key,
    answers.run_key,
    answers.result_key,
    strategies.strategy_key,
    versions.instrument_key,
    runs.interval as interval_key,
    scenes.user_key,
    {{ date_key_within('runs.start_at') }} as start_date_key,
    {{ date_key_within("runs.end_at - interval '1 microsecond'") }} as last_date_key,
    {{ date_key('results.computed_at') }} as computed_date_key,
    {{ time_key('results.computed_at') }} as computed_time_key,
    answers.cached,
    results.status,
    runs.start_at,
    runs.end_at,
    results.computed_at,
    runs.params,
    runs.settings,
    runs.cash,
    runs.fee,
    runs.slippage,
    runs.direction,
    runs.prices,
    1 + (
        select count(*) from {{ ref('stg_ops__run_instruments') }} as further
        where further.run_key = answers.run_key
    ) as instruments,
    results.engine_version,
    results.metrics_version,
    results.candles_revision,
    results.depends_from,
    results.candles,
    results.warmup_missing,
    results.periods_per_year,
    cardinality(results.warnings) as warnings,
    results.error_class,
    {{ metric_columns('results') }}
from answers
inner join {{ ref('dim_scene') }} as scenes
    on scenes.scene_key = answers.scene_id
inner join {{ ref('stg_ops__runs') }} as runs
    on runs.run_key = answers.run_key
inner join {{ ref('stg_ops__results') }} as results
    on results.result_key = answers.result_key
inner join {{ ref('dim_strategy') }} as strategies
    on strategies.strategy_key = {{ strategy_key('runs.strategy', 'results.strategy_digest') }}
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = runs.instrument_id
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and results.computed_at >= versions.valid_from
    and results.computed_at < versions.valid_to
