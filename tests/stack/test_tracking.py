"""MLflow's tables follow the version of MLflow that is installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import Engine, create_engine, text

import mlflow
from mela.settings import Settings
from stack import environment, roles, tracking
from stack.service import Site

pytestmark = pytest.mark.integration
OLDER = "acf3f17fdcc7"  # of MLflow 2.x
SCRIPTS = Path(mlflow.__file__).parent / "store" / "db_migrations"


@pytest.fixture
def site(postgres: Settings) -> Site:
    return Site(postgres, environment.read(postgres.home))


@pytest.fixture
def store(site: Site) -> Iterator[Engine]:
    """MLflow's database as an older version left it, a run's row in it."""
    url = roles.url(site, "mlflow", site.kept[roles.MLFLOW_PASSWORD])
    engine = create_engine(url)
    Base.metadata.create_all(engine)  # what MLflow's first migration finds
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    with warnings.catch_warnings():  # what MLflow's own scripts are warned of
        warnings.simplefilter("ignore")
        command.upgrade(config, OLDER)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO experiments (experiment_id, name, lifecycle_stage)"
                " VALUES (7, 'sma_cross', 'active')"
            )
        )
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP OWNED BY mlflow"))
    engine.dispose()


def test_tables_of_an_older_mlflow_are_brought_to_todays_and_keep_their_rows(
    site: Site, store: Engine
) -> None:
    tracking.prepare(site)
    with store.connect() as connection:
        name = connection.scalar(text("SELECT name FROM experiments WHERE experiment_id = 7"))
    assert name == "sma_cross"
    noted = (site.home / "mlflow-migrated").read_text(encoding="utf-8")
    assert noted.endswith(f" {ScriptDirectory(str(SCRIPTS)).get_current_head()}")
    written = (site.home / "mlflow-migrated").stat().st_mtime_ns
    tracking.prepare(site)  # nothing is asked of what is as it should be
    assert (site.home / "mlflow-migrated").stat().st_mtime_ns == written


def test_an_empty_database_is_left_to_the_server(site: Site) -> None:
    (site.home / "mlflow-migrated").unlink(missing_ok=True)
    tracking.prepare(site)
    assert not (site.home / "mlflow-migrated").exists()
