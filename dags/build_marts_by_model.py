"""Build the star schema with one task per dbt model, each followed by the model's own tests.

Start it by hand, to see which model takes long or fails, or to repeat a model with those behind it.
`build_marts` builds the same with one dbt, in less time. Tests across models
(relationships, the project's own SQL tests) run at the end.
"""

from __future__ import annotations

from airflow.sdk import chain, dag
from building import ALONE, DBT, IN_PROCESS, PROFILE
from cosmos import DbtTaskGroup, ExecutionConfig, ProjectConfig, RenderConfig
from cosmos.constants import LoadMode, TestBehavior, TestIndirectSelection
from cosmos.operators.local import DbtTestLocalOperator
from policies import EVERY_BUILD, MARTS

from mela.settings import Settings
from warehouse import dbt_project

ACROSS = "test_name:relationships test_type:singular"


@dag(
    schedule=None,
    max_active_runs=1,
    description="Build the star schema with dbt, one task per model, by hand.",
    doc_md=__doc__,
    tags=["marts"],
    **EVERY_BUILD,
)
def build_marts_by_model() -> None:
    """Define the DAG: the models in dbt's order, then the tests across them."""
    models = DbtTaskGroup(
        group_id="models",
        project_config=ProjectConfig(
            dbt_project_path=dbt_project.PROJECT,
            manifest_path=dbt_project.manifest(Settings()),
            project_name=dbt_project.PROFILE,
        ),
        profile_config=PROFILE,
        execution_config=ExecutionConfig(
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
            **IN_PROCESS,
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.BUILD,
            emit_datasets=False,
        ),
        operator_args=DBT | {"exclude": ACROSS},
    )
    across = DbtTestLocalOperator(
        task_id="test_across_models",
        select=ACROSS,
        outlets=[MARTS],
        **ALONE,
    )
    chain(models, across)


build_marts_by_model()
