"""Shared by the two DAGs that build the star: dbt's project, profile and arguments.

This module is no DAG: see .airflowignore.
"""

from __future__ import annotations

from typing import Any

from cosmos import ProfileConfig
from cosmos.constants import InvocationMode

from warehouse import dbt_project

PROFILE = ProfileConfig(
    profile_name=dbt_project.PROFILE,
    target_name=dbt_project.TARGET,
    profiles_yml_filepath=dbt_project.PROJECT / "profiles.yml",
)
IN_PROCESS: dict[str, Any] = {
    "invocation_mode": InvocationMode.DBT_RUNNER,
    "dbt_executable_path": dbt_project.program(),
}
DBT: dict[str, Any] = {
    "append_env": True,  # the task's environment has the warehouse's address and account
    "install_deps": False,
    "emit_datasets": False,
    "should_store_compiled_sql": True,
    "pool": "dbt",
    "dbt_cmd_global_flags": ["--partial-parse", "--no-write-json"],
    "cache_selected_only": True,
}
ALONE: dict[str, Any] = (
    DBT
    | IN_PROCESS
    | {
        "project_dir": str(dbt_project.PROJECT),
        "profile_config": PROFILE,
    }
)
