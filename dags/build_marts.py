"""Build the star schema: one task per dbt model, each followed by the model's own tests.

It runs when ingestion or backfill changed candles, and once a day for runs and results. Tests
across models (relationships, the project's own SQL tests) run at the end.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import chain, dag
from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
)
from cosmos.constants import InvocationMode, LoadMode, TestBehavior, TestIndirectSelection
from cosmos.operators.local import DbtTestLocalOperator
from policies import EVERY_BUILD, MARTS, changes_or

from mela.settings import Settings
from warehouse import dbt_project

ACROSS = "test_name:relationships test_type:singular"
PROFILE = ProfileConfig(
    profile_name=dbt_project.PROFILE,
    target_name=dbt_project.TARGET,
    profiles_yml_filepath=dbt_project.PROJECT / "profiles.yml",
)
DBT: dict[str, Any] = {
    "append_env": True,  # the task's environment has the warehouse's address and account
    "install_deps": False,
    "emit_datasets": False,
    "should_store_compiled_sql": True,
    "pool": "dbt",
    "dbt_cmd_global_flags": ["--partial-parse", "--no-write-json"],
    "cache_selected_only": True,
}


@dag(
    schedule=changes_or("0 4 * * *"),
    max_active_runs=1,
    description="Build the star schema with dbt, one task per model, and test it.",
    doc_md=__doc__,
    tags=["marts"],
    **EVERY_BUILD,
)
def build_marts() -> None:
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
            invocation_mode=InvocationMode.DBT_RUNNER,
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
            dbt_executable_path=dbt_project.program(),
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
        project_dir=str(dbt_project.PROJECT),
        profile_config=PROFILE,
        select=ACROSS,
        dbt_executable_path=dbt_project.program(),
        invocation_mode=InvocationMode.DBT_RUNNER,
        outlets=[MARTS],
        **DBT,
    )
    chain(models, across)


build_marts()
