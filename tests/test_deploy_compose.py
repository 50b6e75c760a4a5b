"""The MLflow server in deploy/: what docker compose is told, against its rules and MLflow's."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it says of its own models and types
    from mlflow.cli import server

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KEYS = {  # those of a service that compose knows and this file needs
    "image", "build", "environment", "volumes", "healthcheck", "restart", "command", "entrypoint",
    "depends_on", "ports",
}  # fmt: skip
IN_THE_ENVIRONMENT = re.compile(r"(?<!\$)\$\{([A-Z_]+)")


def test_it_has_the_three_servers_and_what_makes_the_bucket_and_no_key_that_compose_lacks() -> (
    None
):
    assert set(COMPOSE) == {"services", "volumes"}
    assert set(SERVICES) == {"postgres", "minio", "bucket", "mlflow"}
    for service in SERVICES.values():
        assert set(service) <= KEYS
        assert ("image" in service) != ("build" in service)
        mounted = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert mounted <= set(COMPOSE["volumes"])


def test_only_mlflows_port_is_open_and_on_loopback_alone() -> None:
    open_ports = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert open_ports == {"mlflow": ["127.0.0.1:5000:5000"]}


def test_no_password_is_written_in_and_none_may_be_missing() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|ROOT_USER|KEY|BACKEND_STORE_URI", name):
                assert IN_THE_ENVIRONMENT.search(value), name
    asked = set(IN_THE_ENVIRONMENT.findall(TEXT))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))
    assert asked == required == set(given)
    assert [name for name, value in given.items() if "PASSWORD" in name and value] == []
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/deploy/.env" in ignored


def test_what_waits_for_another_waits_for_something_that_can_come() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no"


def test_mlflow_is_called_as_its_server_can_be_and_has_the_drivers() -> None:
    command = SERVICES["mlflow"]["command"]
    assert command[:2] == ["mlflow", "server"]
    known = {option for p in server.params for option in (*p.opts, *p.secondary_opts)}
    assert {option.partition("=")[0] for option in command[2:]} <= known
    variables = {str(p.envvar) for p in server.params}
    assert "MLFLOW_BACKEND_STORE_URI" in variables & set(SERVICES["mlflow"]["environment"])
    bucket = command[-1].rpartition("/")[2]
    assert SERVICES["bucket"]["command"][0].endswith(f"store/{bucket}")


@pytest.mark.parametrize("package", ["mlflow", "psycopg2-binary"])
def test_the_servers_packages_are_those_that_studies_are_tested_with(package: str) -> None:
    built = (DEPLOY / SERVICES["mlflow"]["build"]["dockerfile"]).read_text(encoding="utf-8")
    (pinned,) = re.findall(rf"{package}==(\S+)", built)
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert f"\n{package}=={pinned}\n" in constraints
