{# What `mela prune` removed from ops leaves the star with the next build, before its new rows come.
   Trials stay, in fct_pruned_run. The tables themselves are read, because dbt
   finds no ref() in a condition of a hook. #}
{% macro leave_out_pruned_answers() -%}
    {% if is_incremental() %}
    delete from {{ this }} as here
    using {{ source('ops', 'pruned_answer') }} as pruned
    where
        here.scene_key = pruned.scene_id
        and here.result_key = encode(pruned.result_key, 'hex')
        and not exists (
            select from {{ source('ops', 'scene_run') }} as answers
            where answers.scene_id = here.scene_key and answers.run_key = here.run_key
        )
    {% endif %}
{%- endmacro %}

{# Only where something was ever pruned: each row of the fact is looked up. #}
{% macro leave_out_pruned_curves() -%}
    {% if is_incremental() %}
    delete from {{ this }} as here
    where
        exists (select from {{ source('ops', 'prune') }} as pass where pass.curves + pass.results > 0)
        and not exists (
            select from {{ source('ops', 'equity') }} as equity
            where equity.result_key = here.result_key
        )
    {% endif %}
{%- endmacro %}
