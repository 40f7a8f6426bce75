"""Addresses, secrets and limits: one Settings, made at the edges and passed down.

Order of precedence: arguments, environment (`MELA_…`, nested with `__`, as `MELA_KAFKA__BROKERS`),
`$MELA_HOME/stack.env` (addresses and secrets of the stack that runs on this machine, written by
`mela up`, readable by its owner only), the defaults below.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mela.errors import SettingsInvalid
from mela.loopback import is_loopback
from mela.settings.alerts import AlertSettings
from mela.settings.api import ApiSettings
from mela.settings.faults import sentence_of
from mela.settings.trading import TradingSettings

REPOSITORY = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """Return where the stack keeps its files when `MELA_HOME` is not set.

    `.mela/` in the clone; for root a folder under /var/lib, one for each clone, because Postgres
    must then run as an unprivileged user, who may not be able to reach the clone.
    """
    if os.geteuid() != 0:
        return REPOSITORY / ".mela"
    clone = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
    return Path("/var/lib/mela") / f"{REPOSITORY.name}-{clone}"


def _home(path: str | Path | None) -> Path:
    path = path or os.environ.get("MELA_HOME")
    return Path(path) if path else default_home()


def _readable(path: Path) -> Path | None:
    """Return a file, or None where this process may not read it: the environment has it all then.

    Asked by opening it: a process that confined itself (`streaming.confinement`) is refused there.
    """
    try:
        path.open("rb").close()
    except FileNotFoundError:
        return path
    except PermissionError:
        return None
    return path


class _Service(BaseModel):
    model_config = ConfigDict(frozen=True)


class KafkaSettings(_Service):
    """The broker and the shape of the topics."""

    brokers: str = Field(default="127.0.0.1:9092", description="host:port, several with commas")
    protocol: Literal["PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="SASL_SSL: encrypted, and nobody gets in without a user"
    )
    user: str = Field(default="", description="who signs in, to publish, with SASL_SSL")
    password: SecretStr = Field(default=SecretStr(""), description="of `user`")
    run_user: str = Field(
        default="", description="the user of processes that execute strategies. Empty: user"
    )
    run_password: SecretStr = Field(default=SecretStr(""), description="of `run_user`")
    publisher: str = Field(
        default="",
        description="the broker's user who owns scenes that came straight through Kafka. Empty: "
        "they belong to the user `kafka`",
    )
    reader: str = Field(
        default="", description="who signs in to read results and progress. Empty: user"
    )
    reader_password: SecretStr = Field(default=SecretStr(""), description="of `reader`")
    ca: Path | None = Field(
        default=None,
        description="the PEM file of the authority that signed the broker's certificate. None: "
        "the machine's own authorities",
    )
    partitions: int = Field(default=4, ge=1, description="of mela.runs and mela.results")
    replication: int = Field(default=1, ge=1, description="copies of each topic, one a broker")
    retention_hours: int = Field(default=7 * 24, ge=1, description="how long topics keep a message")
    max_message_bytes: int = Field(
        default=1_048_576, ge=65_536, description="a larger scene is refused: too_large"
    )


class PostgresSettings(_Service):
    """The warehouse. `user` owns the schemas raw, ops and marts of `database`."""

    host: str = Field(default="127.0.0.1", description="where it is")
    port: int = Field(default=5432, description="where it listens")
    database: str = Field(default="mela", description="the warehouse's")
    user: str = Field(default="mela", description="the role that signs in")
    password: SecretStr = Field(default=SecretStr(""), description="of `user`")
    run_user: str = Field(
        default="", description="the role of processes that execute strategies. Empty: user"
    )
    run_password: SecretStr = Field(default=SecretStr(""), description="of `run_user`")
    marts_role: str = Field(
        default="", description="the role that owns staging and marts; dbt acts as it. Empty: user"
    )

    def url(self, database: str | None = None) -> str:
        """Return a SQLAlchemy URL, the password included: not for logs."""
        secret = self.password.get_secret_value()
        address = f"{self.host}:{self.port}/{database or self.database}"
        return f"postgresql+psycopg2://{self.user}:{secret}@{address}"


class SparkSettings(_Service):
    """The streaming job."""

    master: str = Field(default="local[4]", description="slots: half for `run`, half for `record`")
    driver_memory: str = Field(default="1g", description="of the driver's JVM")
    driver_host: str = Field(
        default="127.0.0.1", description="where workers on other machines find the driver"
    )
    executor_memory: str = Field(default="1g", description="of each worker's JVM, on a cluster")
    secret: SecretStr = Field(
        default=SecretStr(""), description="what a cluster's master, workers and driver share"
    )
    jars: str = Field(
        default="", description="the Kafka connector's jar files, separated by commas"
    )
    chunk_runs: int = Field(
        default=250, ge=1, description="runs in one message of mela.runs, at most"
    )
    max_chunks_per_trigger: int = Field(
        default=256, ge=1, description="chunks that one batch of `run` or `record` takes, at most"
    )
    chunks_ahead: int = Field(
        default=32,
        ge=1,
        description="chunks of large scenes that are sent before earlier ones were executed",
    )
    run_limit_s: float = Field(
        default=120.0, gt=0, le=86_400, description="a run that takes longer ends as `timed_out`"
    )
    run_memory_mb: int = Field(
        default=2048,
        ge=64,
        description="what a chunk's runs may allocate together, or each in a process of its own",
    )


class MlflowSettings(_Service):
    """The tracking server."""

    url: str = Field(default="http://127.0.0.1:5000", description="where it answers")
    user: str = Field(default="", description="who signs in. Empty: the server asks nobody")
    password: SecretStr = Field(default=SecretStr(""), description="of `user`")


class AirflowSettings(_Service):
    """The orchestrator. The user `admin` signs in to its UI with `password`."""

    url: str = Field(default="http://127.0.0.1:8080", description="where its API and UI answer")
    user: str = Field(default="admin", description="who signs in to its UI")
    password: SecretStr = Field(default=SecretStr(""), description="of `user`")


class MonitorSettings(_Service):
    """The monitor of the services: the watchdog, and the metrics that Prometheus reads."""

    restart_after_s: float = Field(
        default=120.0,
        ge=5,
        description="a service that was healthy and then is not for this long is restarted",
    )
    start_s: float = Field(
        default=600.0,
        ge=5,
        description="how long a service may take to start before it counts as unhealthy",
    )
    stuck_after_s: float = Field(
        default=300.0,
        ge=5,
        description="a streaming query that has messages waiting and does not advance for this "
        "long is stuck; longer than a run may take",
    )
    metrics_url: str = Field(
        default="http://127.0.0.1:9108/metrics", description="where Prometheus reads the metrics"
    )


class PruneSettings(_Service):
    """The rules by which `mela prune` keeps results. Trials are counted whatever goes."""

    scene_days: int = Field(
        default=365,
        ge=1,
        description="a scene that ended longer ago keeps the results of its best runs only",
    )
    keep_best: int = Field(default=20, ge=1, description="runs that such a scene keeps")
    curve_days: int = Field(
        default=180,
        ge=1,
        description="trades and equity of scenes that ended longer ago go; at most scene_days",
    )
    mlflow_days: int = Field(
        default=365,
        ge=31,
        description="a scene that ended longer ago has only its best runs in MLflow; above the 30 "
        "days in which the job writes what MLflow lacks",
    )
    batch: int = Field(default=2_000, ge=1, description="results in one transaction, at most")

    @model_validator(mode="after")
    def _curves_go_first(self) -> PruneSettings:
        if self.curve_days > self.scene_days:
            raise ValueError(
                f"expected curve_days of at most scene_days ({self.scene_days}), as a curve goes "
                f"with its result, but found {self.curve_days}"
            )
        return self


class AlpacaSettings(_Service):
    """Alpaca's market data. Its crypto candles need no keys, its stocks and news do."""

    key: SecretStr = Field(default=SecretStr(""), description="of your account")
    secret: SecretStr = Field(default=SecretStr(""), description="of your account")
    feed: Literal["iex", "sip", "delayed_sip", "otc"] = Field(
        default="iex", description="whose trades its stock candles are made of; sip is paid for"
    )
    hours: Literal["regular", "extended"] = Field(
        default="regular", description="extended loads stocks before and after the session too"
    )


class Settings(BaseSettings):
    """Everything that differs from one place to another."""

    model_config = SettingsConfigDict(
        env_prefix="MELA_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    home: Path = Field(default_factory=default_home, description="where the stack keeps its files")
    user: str | None = Field(
        default=None,
        description="who publishes, where --user does not say it; `--mine` of `mela scenes` lists "
        "this user's scenes, and `last` is the newest of them",
    )
    java: Literal["auto", "bundled"] = Field(
        default="auto",
        description="auto: an installed Java if it is new enough; bundled: the one from PyPI",
    )
    max_runs: int = Field(
        default=1_000_000, ge=1, description="a scene with more runs is refused: too_many_runs"
    )
    mlflow_top: int = Field(
        default=1_000,
        ge=0,
        description="runs of a scene that MLflow has nested below it, the best ones",
    )
    mlflow_picture: bool = Field(
        default=True,
        description="draw the best run of each scene for MLflow, as a page of 5 MB",
    )
    replay_url: str | None = Field(
        default=None, description="a `mela replay` that all market-data clients shall ask"
    )
    alert_webhook: SecretStr | None = Field(
        default=None,
        description="where alerts go (a failed DAG run, a streaming query that fails for two "
        "minutes or is stuck, a service that the watchdog restarts): https, or http on loopback",
    )
    second_sources: dict[str, str] = Field(
        default_factory=dict,
        description="instrument → the instrument whose candles may fill its gaps",
        examples=[{"binance:BTCUSDT": "kraken:BTC/USDT"}],
    )
    candles: str = Field(
        default="warehouse",
        min_length=1,
        description="where runs read candles: `warehouse`, or the folder or s3:// address of a "
        "snapshot",
    )
    cache: Path | None = Field(
        default=None, description="a folder on local disk for what can be read anew; home/cache"
    )
    cache_bytes: int = Field(
        default=4 * 2**30, ge=0, description="candle files kept there, at most; 0 for none"
    )
    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    spark: SparkSettings = SparkSettings()
    mlflow: MlflowSettings = MlflowSettings()
    airflow: AirflowSettings = AirflowSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    api: ApiSettings = ApiSettings()
    monitor: MonitorSettings = MonitorSettings()
    prune: PruneSettings = PruneSettings()
    trading: TradingSettings = TradingSettings()
    alerts: AlertSettings = AlertSettings()

    def __init__(self, **values: Any) -> None:
        """Read all settings. Raises SettingsInvalid, in a sentence, for those that are wrong."""
        try:
            super().__init__(**values)
        except (ValidationError, SettingsError) as error:
            place = str(_home(values.get("home")) / "stack.env")
            raise SettingsInvalid(sentence_of(error, type(self), place)) from error

    @field_validator("alert_webhook")
    @classmethod
    def _stays_private(cls, webhook: SecretStr | None) -> SecretStr | None:
        if webhook is None:
            return None
        parts = urlsplit(webhook.get_secret_value())
        if parts.hostname and (parts.scheme == "https" or is_loopback(parts)):
            return webhook
        raise ValueError(
            "expected https://…, or http:// on a loopback address, but found "
            f"{parts.scheme or 'no scheme'} to {parts.hostname or 'no host'}"
        )

    def for_strategies(self) -> Settings:
        """Return what a process needs that executes strategies: weaker accounts, and no secret.

        Strategies are anybody's code. Their process reads candles, marks chunks and sends results.
        """
        nothing = SecretStr("")
        postgres, kafka = self.postgres, self.kafka
        if postgres.run_user:
            account = {"user": postgres.run_user, "password": postgres.run_password}
            postgres = postgres.model_copy(update={**account, "run_password": nothing})
        if kafka.run_user:
            account = {"user": kafka.run_user, "password": kafka.run_password}
            reader = {"reader": "", "reader_password": nothing}
            kafka = kafka.model_copy(update={**account, **reader, "run_password": nothing})
        changed = {
            "postgres": postgres,
            "kafka": kafka,
            "spark": self.spark.model_copy(update={"secret": nothing}),
            "mlflow": self.mlflow.model_copy(update={"password": nothing}),
            "airflow": self.airflow.model_copy(update={"password": nothing}),
            "api": self.api.model_copy(update={"oidc_secret": nothing}),
            "alpaca": self.alpaca.model_copy(update={"key": nothing, "secret": nothing}),
            "alert_webhook": None,
            "alerts": AlertSettings(),
        }
        return self.model_copy(update=changed)

    @property
    def packages(self) -> Path:
        """Return where this stack's own packages of strategies are: `pip install --target` it."""
        return self.home / "packages"

    @property
    def cache_folder(self) -> Path:
        """Return where this machine keeps what it can read anew."""
        return self.cache or self.home / "cache"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put `$MELA_HOME/stack.env` behind the environment."""
        stack = DotEnvSettingsSource(
            settings_cls,
            env_file=_readable(_home(init_settings().get("home")) / "stack.env"),
            env_file_encoding="utf-8",
        )
        return init_settings, env_settings, stack
