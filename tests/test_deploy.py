"""The files in deploy/, against the schemas and tools that there are."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from typer.testing import CliRunner

from study.cli import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def options_of(command: str) -> set[str]:
    """The long options in a call of app-study."""
    return {word.partition("=")[0] for word in command.split() if word.startswith("--")}


def known_options() -> str:
    result = CliRunner().invoke(app, ["launch", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    return result.output


def test_the_cluster_file_is_valid_by_the_schema_that_ray_ships() -> None:
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    config = read("ray-cluster.yaml")
    jsonschema.validate(config, json.loads(schema.read_text(encoding="utf-8")))
    assert len(config["provider"]["worker_ips"]) == config["max_workers"]


def test_the_cluster_file_is_completed_and_validated_by_rays_own_launcher() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    completed = prepare_config(read("ray-cluster.yaml"))
    validate_config(completed)
    assert completed["max_workers"] == 2


def test_a_wrong_cluster_file_would_be_found() -> None:
    from ray.autoscaler._private.util import validate_config

    with pytest.raises(Exception, match="cluster_nam"):
        validate_config({"cluster_nam": "a", "provider": {"type": "local"}})


def test_the_ray_job_has_what_the_operator_needs_and_runs_a_command_that_there_is() -> None:
    job = read("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert {m["name"] for m in container["volumeMounts"]} == {
            v["name"] for v in pod["volumes"]
        }
        assert {e["name"] for e in container["env"]} == {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
        assert container["resources"]["requests"] == container["resources"]["limits"]
    for group in cluster["workerGroupSpecs"]:
        assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    entrypoint = job["spec"]["entrypoint"]
    assert entrypoint.startswith("app-study launch /studies/")
    assert all(option in known_options() for option in options_of(entrypoint))


def test_the_submitting_script_calls_ray_and_app_study_with_options_that_they_have(
    tmp_path: Path,
) -> None:
    (tmp_path / "ray").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (tmp_path / "ray").chmod(0o755)
    called = subprocess.run(
        [DEPLOY / "submit.sh", "http://head:8265", "a b.yaml", "/shared", "--set", "seed=1"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    split = called.index("--")
    assert called[:split] == [
        "job", "submit", "--address", "http://head:8265", "--working-dir", ".",
    ]  # fmt: skip
    assert called[split + 1 :] == [
        "app-study", "launch", "a b.yaml", "--store", "/shared", "--reports", "/shared/reports",
        "--set", "seed=1",
    ]  # fmt: skip
    assert all(option in known_options() for option in options_of(" ".join(called[split:])))
    from ray.dashboard.modules.job.cli import submit

    has = {name for parameter in submit.params for name in parameter.opts}
    assert {"--address", "--working-dir"} <= has
