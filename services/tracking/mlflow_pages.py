"""Find MLflow's pages that compare a scene's runs."""

from __future__ import annotations

from dataclasses import dataclass

from mela.settings import Settings

WAIT_S = 3.0  # MLflow is a mirror: a command does not wait for it longer
OF_RUNS = "#/experiments?workflowType=machine_learning"
RUN = "api/2.0/mlflow/runs/get"


@dataclass(frozen=True, slots=True)
class Compared:
    """Addresses of MLflow's pages. charts and best are None for a scene of one run.

    table: of the scene's runs; charts: of the same; best: the best of them side by side
    """

    table: str
    charts: str | None = None
    best: str | None = None


def compared(run_id: str | None, settings: Settings) -> Compared | None:
    """Return where a scene is in MLflow; None where it is not, or where MLflow does not answer.

    run_id: of the scene's parent run
    """
    if run_id is None:
        return None
    import httpx  # not at the start of every command

    mlflow, base = settings.mlflow, settings.mlflow.url.rstrip("/")
    try:
        answer = httpx.get(
            f"{base}/{RUN}",
            params={"run_id": run_id},
            auth=(mlflow.user, mlflow.password.get_secret_value()) if mlflow.user else None,
            timeout=WAIT_S,
            trust_env=False,
        )
        answer.raise_for_status()
        tags = answer.json()["run"]["data"].get("tags", [])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    paths = {tag["key"]: f"{base}/{tag['value']}" for tag in tags}
    if "mela.table" not in paths:  # an earlier release wrote it
        return None
    return Compared(paths["mela.table"], paths.get("mela.charts"), paths.get("mela.best"))


def sign_in(settings: Settings) -> str | None:
    """Return who signs in to MLflow and where the password is; None where MLflow asks nobody."""
    if not settings.mlflow.user:
        return None
    place = settings.home / "stack.env"
    return f"user {settings.mlflow.user}, password MELA_MLFLOW__PASSWORD in {place}"


def front_page(settings: Settings) -> str:
    """Return where MLflow lists the strategies; without its question it opens on traces."""
    return f"{settings.mlflow.url.rstrip('/')}/{OF_RUNS}"
