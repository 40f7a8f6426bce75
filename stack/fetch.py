"""Fetch the jars that PyPI lacks: Kafka's broker, and Spark's connector to Kafka.

`python -m stack.fetch` downloads them to `$MELA_HOME/jars`. jars.sha256 pins their checksums; a jar
that differs is not used. Ivy, which comes with pyspark, does the download.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from mela.errors import StackFailed
from mela.settings import Settings, default_home
from stack import trust
from stack.java import java_home
from stack.lock import locked
from stack.packages import installed

_log = structlog.get_logger(__name__)
_CHECKSUMS = Path(__file__).with_name("jars.sha256")
_PYSPARK = installed("pyspark") / "jars"
# folder, dependency, whether with all that it needs
_DEPENDENCIES = (
    ("kafka", ("org.apache.kafka", "kafka_2.13", "4.3.1"), True),
    ("spark", ("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.2.0"), False),
    # 4.2.0 of the token provider is not to be had; this one has the same interface.
    ("spark", ("org.apache.spark", "spark-token-provider-kafka-0-10_2.13", "4.0.0"), False),
    ("spark", ("org.apache.kafka", "kafka-clients", "3.9.2"), False),
    ("spark", ("org.apache.commons", "commons-pool2", "2.13.1"), False),
    # Hadoop's own local file system starts a `chmod` for each file that a checkpoint writes.
    ("spark", ("com.globalmentor", "hadoop-bare-naked-local-fs", "0.1.0"), False),
)
_TRIES = 3
_IVY_TIMEOUT_S = 600


def ensure_jars(settings: Settings) -> None:
    """Fetch and verify every pinned jar. Raises StackFailed if that fails."""
    home = settings.home / "jars"
    with locked(settings.home / "run" / "jars.lock", wait_s=2 * _IVY_TIMEOUT_S):
        _reuse(default_home() / "jars", home)
        if missing := _missing(home):
            _log.info("fetching jars", count=len(missing), into=str(home))
            _fetch(settings, home, missing)


def broker_classpath(settings: Settings) -> str:
    """Return the broker's class path, beginning with a logging binding that its own jars lack."""
    binding = [*_PYSPARK.glob("slf4j-api-2*.jar"), *_PYSPARK.glob("log4j-slf4j2-impl-*.jar")]
    return ":".join([*map(str, binding), str(settings.home / "jars" / "kafka" / "*")])


def spark_jars(settings: Settings) -> str:
    """Return the connector's jar files, separated by commas, for `spark.jars`."""
    names = (name for name in _pinned() if name.startswith("spark/"))
    return ",".join(str(settings.home / "jars" / name) for name in names)


@functools.cache
def _pinned() -> dict[str, str]:
    lines = _CHECKSUMS.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _missing(folder: Path) -> list[str]:
    return [name for name, digest in _pinned().items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _reuse(source: Path, home: Path) -> None:
    """Copy the jars of another home of this clone instead of downloading them again."""
    if source == home or not os.access(source, os.R_OK | os.X_OK):
        return
    _take(
        (name for name in _missing(home) if _digest(source / name) == _pinned()[name]), source, home
    )


def _take(names: Iterable[str], source: Path, home: Path) -> None:
    for name in names:
        place = home / name
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.copyfile(source / name, new)
        new.replace(place)


def _fetch(settings: Settings, home: Path, missing: list[str]) -> None:
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".fetch-") as temporary:
        new = Path(temporary)
        for folder, dependency, deep in _DEPENDENCIES:
            if any(name.startswith(f"{folder}/") for name in missing):
                _ivy(settings, new, folder, dependency, deep)
        _take((name for name in missing if _digest(new / name) == _pinned()[name]), new, home)
    if wrong := _missing(home):
        raise StackFailed(
            f"{', '.join(wrong)} came with another content than stack/jars.sha256 pins; "
            "nothing of it is used. Try again on a network whose Maven repository is genuine"
        )


def _ivy(
    settings: Settings, new: Path, folder: str, dependency: tuple[str, str, str], deep: bool
) -> None:
    command = (
        str(java_home(settings) / "bin" / "java"),
        *_proxies(),
        *trust.java_options(new),
        "-jar",
        str(next(_PYSPARK.glob("ivy-*.jar"))),
        *("-cache", str(new / "cache")),
        *(() if deep else ("-notransitive",)),
        *("-dependency", *dependency),
        *("-confs", "default", "-types", "jar", "bundle"),
        *("-retrieve", f"{new}/{folder}/[artifact]-[revision](-[classifier]).[ext]"),
    )
    output = ""
    for attempt in range(_TRIES):
        time.sleep(3 * attempt)
        run = subprocess.run(
            command,
            cwd=new,
            capture_output=True,
            text=True,
            timeout=_IVY_TIMEOUT_S,
            check=False,
        )
        if run.returncode == 0:
            return
        output = (run.stdout + run.stderr)[-1500:]
        _log.warning("ivy failed", dependency=":".join(dependency), attempt=attempt + 1)
    raise StackFailed(
        f"{':'.join(dependency)} could not be fetched in {_TRIES} tries; Mela needs access "
        f"to Maven Central once (HTTPS_PROXY is respected), or the jars of stack/jars.sha256 in "
        f"{settings.home / 'jars'}. Ivy said: {output}"
    )


def _proxies() -> tuple[str, ...]:
    """Pass the environment's proxies to Java, which does not read them itself."""
    words: list[str] = []
    for scheme in ("http", "https"):
        proxy_url = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme}_proxy".upper())
        if proxy_url and (proxy := urlsplit(proxy_url)).hostname:
            words += [f"-D{scheme}.proxyHost={proxy.hostname}"]
            words += [f"-D{scheme}.proxyPort={proxy.port or 80}"]
    return tuple(words)


if __name__ == "__main__":
    ensure_jars(Settings())
