"""Containers run what `mela up` runs, wait for what it waits for, and show nothing to strangers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.__main__ import check_address
from mela.errors import SettingsInvalid, StackFailed
from mela.settings import Settings
from mela.settings.api import ApiSettings
from messaging.connection import client
from stack import registry
from stack.container import EVERYWHERE, SECRETS, services, site
from stack.service import Program
from tests.delivery.containers import (
    COMPOSE,
    environment_of,
    is_ours,
    last,
    loaded,
    ours,
    said,
    serving,
)

_NOT_OURS = {"postgres", "kafka"}
_SECONDS = {"s": 1, "m": 60}


def seconds(text: str) -> int:
    return int(text[:-1]) * _SECONDS[text[-1]]


def program_of(name: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Program:
    with monkeypatch.context() as scope:
        scope.setenv("MELA_HOME", "/nonexistent")  # this clone's knows secrets once it was started
        for key, value in given.items():
            scope.setenv(key, value)
        return services()[name].program(site(given))


def before(project: dict[str, Any], name: str) -> set[str]:
    """Return all that must be well, or over, before a container starts."""
    found = set(project["services"][name].get("depends_on", {}))
    return found.union(*(before(project, one) for one in found))


@pytest.mark.nightly
def test_compose_itself_reads_the_same(
    project: dict[str, Any], environment: dict[str, str], compose_go: Path | None, tmp_path: Path
) -> None:
    if compose_go is None:
        return  # the summary says so; all other tests of this file read it without Go
    file = tmp_path / ".env"
    file.write_text("".join(f"{key}={value}\n" for key, value in environment.items()))
    done = said(str(compose_go), str(COMPOSE), str(file), env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]

    assert set(read) == set(project["services"])
    for name, one in project["services"].items():
        theirs = read[name].get("environment") or {}
        assert environment_of(one) == {k: v for k, v in theirs.items() if v is not None}
        assert (one.get("command"), one["image"]) == (read[name]["command"], read[name]["image"])
        assert set(one.get("depends_on", {})) == set(read[name].get("depends_on", {}))
        assert one["restart"] == read[name]["restart"]


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_a_secret(secret: str, environment: dict[str, str]) -> None:
    with pytest.raises(KeyError, match=rf"{secret} is missing a value: run `sh stack/env.sh`"):
        loaded({**environment, secret: ""})


@pytest.mark.nightly
def test_compose_itself_refuses_the_example_and_names_every_secret(
    compose_go: Path | None, tmp_path: Path
) -> None:
    if compose_go is None:
        return
    example = COMPOSE.with_name(".env.example")
    done = said(str(compose_go), str(COMPOSE), str(example), cwd=tmp_path, env={})

    assert done.returncode == 1
    for secret in SECRETS:
        assert (
            f"required variable {secret} is missing a value: run `sh stack/env.sh`" in done.stderr
        )


def test_every_service_of_mela_up_is_a_container(project: dict[str, Any]) -> None:
    started = set(registry.services())

    assert set(serving(project)) == (started - _NOT_OURS) | {"spark-master", "spark-worker"}
    assert project["services"]["replay"]["profiles"] == ["offline"]
    assert set(project["services"]) >= _NOT_OURS


def test_a_container_waits_for_all_that_its_service_needs(project: dict[str, Any]) -> None:
    for name in serving(project):
        assert set(services()[name].needs) <= before(project, name), name
        assert "secrets" in before(project, name)


def test_what_must_be_over_is_waited_for_and_what_goes_on_must_be_well(
    project: dict[str, Any],
) -> None:
    for name, one in project["services"].items():
        for needed, how in one.get("depends_on", {}).items():
            ends = project["services"][needed]["restart"] == "no"
            wanted = "service_completed_successfully" if ends else "service_healthy"
            assert how == {"condition": wanted}, (name, needed)


def test_up_wait_ends_well_as_somebody_waits_for_each_that_is_once_and_over(
    project: dict[str, Any],
) -> None:
    """Compose takes a container that has ended for a failure, unless one that goes on needed it.

    Source: github.com/docker/compose/issues/10596, pull/9572.
    """
    all_of_them = project["services"].items()
    once = {name for name, one in all_of_them if one["restart"] == "no" and "profiles" not in one}
    goes_on = [one for _, one in all_of_them if one["restart"] != "no"]

    assert once == {name for one in goes_on for name in one.get("depends_on", {})} & once
    assert len(once) == 7


def test_roles_migrations_topics_and_pools_are_made_before_they_are_used(
    project: dict[str, Any],
) -> None:
    steps = {name: one["command"] for name, one in ours(project).items() if one["restart"] == "no"}

    assert steps["migrations"] == ["finish", "postgres"]
    assert steps["topics"] == ["finish", "kafka"]
    assert steps["mlflow-users"] == ["finish", "mlflow"]
    assert {"files"} <= before(project, "kafka") & before(project, "postgres")
    assert "mlflow-users" in before(project, "spark")
    assert steps["airflow-migrations"] == ["prepare", "airflow-api-server"]
    assert steps["airflow-pools"] == ["finish", "airflow-api-server"]
    assert {"migrations", "topics"} <= before(project, "spark")
    assert all("airflow-migrations" in before(project, name) for name in _airflow(project))


def _airflow(project: dict[str, Any]) -> list[str]:
    return [name for name in serving(project) if name.startswith("airflow-")]


def test_a_container_has_as_long_to_start_and_to_stop_as_in_the_stack(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, one in serving(project).items():
        program = program_of(name, environment_of(one), monkeypatch)
        assert seconds(one["healthcheck"]["start_period"]) == services()[name].wait_s, name
        assert seconds(one["stop_grace_period"]) >= program.stop_wait_s, name
        assert one.get("stop_signal", last("STOPSIGNAL")) == f"SIG{program.stop_signal}", name
    for name in _NOT_OURS:
        one, known = project["services"][name], registry.services()[name]
        assert seconds(one["healthcheck"]["start_period"]) == known.wait_s


def test_a_container_is_given_what_its_program_needs_and_no_secret_more(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, one in serving(project).items():
        given = environment_of(one)
        whole = program_of(name, given, monkeypatch)
        for secret in set(given) & set(SECRETS):
            less = {key: value for key, value in given.items() if key != secret}
            try:
                assert program_of(name, less, monkeypatch) != whole, (name, secret)
            except StackFailed as error:
                assert secret in str(error)  # noqa: PT017 - either is a use of it


def test_who_asks_kafka_signs_in(project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spark", "api", "live", "monitor", "airflow-scheduler"):
        given = environment_of(project["services"][name])
        program = program_of(name, given, monkeypatch)
        with monkeypatch.context() as scope:
            scope.setenv("MELA_HOME", "/nonexistent")
            for key, value in {**given, **program.environment}.items():
                scope.setenv(key, value)
            told = client(Settings().kafka, reads=True)
        assert told["security.protocol"] == "SASL_SSL", name
        assert told["sasl.username"], name
        assert told["sasl.password"], name
        mounted = {volume.split(":")[1] for volume in project["services"][name]["volumes"]}
        assert str(Path(told["ssl.ca.location"]).parent) in mounted, name


def test_services_listen_where_the_others_find_them(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = serving(project)
    mlflow = program_of("mlflow", environment_of(known["mlflow"]), monkeypatch)
    airflow = program_of(
        "airflow-api-server", environment_of(known["airflow-api-server"]), monkeypatch
    )

    assert f"--host {EVERYWHERE} --port 5000" in " ".join(mlflow.command)
    assert mlflow.environment["MLFLOW_SERVER_ALLOWED_HOSTS"].endswith(",mlflow:*")
    assert airflow.environment["AIRFLOW__API__HOST"] == EVERYWHERE
    assert airflow.environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8080"
    execution = airflow.environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert execution == "http://airflow-api-server:8080/execution/"


def test_addresses_name_containers_and_their_ports(project: dict[str, Any]) -> None:
    given = environment_of(project["services"]["spark"])
    hosts = {given["MELA_POSTGRES__HOST"], given["MELA_SPARK__DRIVER_HOST"]}
    for key in (
        "MELA_KAFKA__BROKERS",
        "MELA_MLFLOW__URL",
        "MELA_AIRFLOW__URL",
        "MELA_SPARK__MASTER",
    ):
        hosts.add(re.sub(r"^\w+://", "", given[key]).partition(":")[0])

    assert hosts <= set(project["services"])


def test_ports_are_published_on_loopback_only(project: dict[str, Any]) -> None:
    published = [port for one in project["services"].values() for port in one.get("ports", [])]

    assert len(published) == 7
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)


def test_kafka_lets_nobody_in_without_a_password_or_a_certificate(project: dict[str, Any]) -> None:
    given = environment_of(project["services"]["kafka"])
    kinds = dict(one.split(":") for one in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    places = dict(one.split("://") for one in given["KAFKA_LISTENERS"].split(","))

    assert set(kinds) == set(places)
    # whoever needs neither is in the container itself, and may do nothing there
    assert {name for name, kind in kinds.items() if kind == "PLAINTEXT"} == {"HEALTH"}
    assert places["HEALTH"].startswith("localhost:")
    assert "HEALTH" not in given["KAFKA_ADVERTISED_LISTENERS"]
    for name, one in ours(project).items():
        if "MELA_KAFKA__BROKERS" in environment_of(one):
            assert environment_of(one)["MELA_KAFKA__PROTOCOL"] == "SASL_SSL", name


def test_every_container_is_bounded_and_may_do_little(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        limits = one["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) > 0, name
        assert re.fullmatch(r"\d+[mg]", limits["memory"]), name
        assert 0 < limits["pids"] <= 1024, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["logging"]["options"]["max-size"], name
        assert one.get("network_mode", "none") == "none", name
        assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(one), name
        assert "docker.sock" not in json.dumps(one), name


def test_no_container_is_root_and_every_image_is_known_to_the_byte(
    project: dict[str, Any],
) -> None:
    for name, one in project["services"].items():
        if is_ours(one):
            assert "user" not in one  # the Dockerfile's, which its own test looks at
        else:
            assert re.fullmatch(r"[\w/.-]+:v?[\d.]+@sha256:[0-9a-f]{64}", one["image"]), name
            assert one["user"] not in ("root", "0"), name


def test_the_image_is_built_once(project: dict[str, Any]) -> None:
    """Compose builds for each service that asks, and leaves all but the last without a name."""
    builds = [name for name, one in project["services"].items() if "build" in one]
    assert builds == ["secrets"]  # which comes before all others
    assert len({one["image"] for one in ours(project).values()}) == 1


def test_every_container_that_goes_on_says_whether_it_is_well(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        if one["restart"] == "no":
            assert one["healthcheck"] == {"disable": True}, name
        elif is_ours(one):
            assert set(one["healthcheck"]) == {"start_period"}, name  # the image's own command
        else:
            assert one["healthcheck"]["test"][0] == "CMD", name


def test_what_must_survive_is_in_a_named_volume_that_its_user_may_write(
    project: dict[str, Any],
) -> None:
    used = {
        name: [volume.split(":") for volume in one.get("volumes", [])]
        for name, one in project["services"].items()
    }
    made = next(run for run in _runs() if "useradd" in run).split()

    assert {place[0] for places in used.values() for place in places} == set(project["volumes"])
    for name in ours(project):
        assert all(place[1] in made for place in used[name]), name
    assert ["spark", "/var/lib/mela/spark"] in used["spark"]  # checkpoints
    assert ["mlflow", "/var/lib/mela/mlflow-artifacts"] in used["mlflow"]
    assert ["postgres", "/var/lib/postgresql"] in used["postgres"]
    assert ["kafka", "/var/lib/kafka/data"] in used["kafka"]
    # what Kafka and Postgres read of ours they may not write
    assert ["settings", "/mnt/shared/config", "ro,nocopy"] in used["kafka"]
    assert ["settings", "/etc/mela", "ro,nocopy"] in used["postgres"]
    # the broker's key is where the broker is, and where its administrator asks
    tls = {name: place[-1] for name, places in used.items() for place in places if "tls" in place}
    assert tls == {"files": "/var/lib/mela/kafka/tls", "kafka": "ro,nocopy", "topics": "ro"}


def test_no_other_image_decides_who_owns_what_files_writes(project: dict[str, Any]) -> None:
    """An engine gives an empty volume the owner that the first container has for its place.

    Compose makes containers in any order: Kafka's own image owns the place of its configuration.
    """
    written = {volume.split(":")[0] for volume in project["services"]["files"]["volumes"]}
    others = set(project["services"]) - set(ours(project))
    mounted = [
        volume.split(":")
        for name in others
        for volume in project["services"][name]["volumes"]
        if volume.split(":")[0] in written
    ]
    assert len(mounted) == 5
    assert all("nocopy" in words[2].split(",") for words in mounted)


def _runs() -> list[str]:
    from tests.delivery.containers import instructions

    return [rest for word, rest in instructions() if word == "RUN"]


def test_the_web_application_believes_that_it_is_on_loopback_and_is(
    project: dict[str, Any],
) -> None:
    service = project["services"]["api"]
    given = environment_of(service)
    published = [str(port).startswith("127.0.0.1:") for port in service["ports"]]
    assert published == [True]
    assert given["MELA_API__IS_PUBLISHED_ON_LOOPBACK"] == "true"

    def starts(**changed: str) -> bool:
        told = {**given, **changed}
        api = {
            key.removeprefix("MELA_API__").lower(): text
            for key, text in told.items()
            if key.startswith("MELA_API__") and text
        }
        try:
            check_address(Settings(api=ApiSettings.model_validate(api)), EVERYWHERE)
        except SettingsInvalid:
            return False
        return True

    assert starts()
    assert not starts(MELA_API__PUBLIC_URL="https://mela.example")
    assert starts(
        MELA_API__PUBLIC_URL="https://mela.example", MELA_API__TRUSTED_PROXIES="172.16.0.0/12"
    )
