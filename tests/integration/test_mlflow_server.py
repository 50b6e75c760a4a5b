"""A study against a real MLflow server on PostgreSQL: `make test-server`, which needs both."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from study.results import Outcome
from study.store.record import RecordedTrial
from study.tracking import names
from study.tracking.metric_points import metric_points
from tests.helpers.launched import LaunchedStudy
from tests.helpers.servers import MlflowServer, Postgres, postgres

pytestmark = [pytest.mark.server, pytest.mark.ray, pytest.mark.timeout(500)]

AWAY_S = 30.0
DENSITIES = [0.5, 0.4, 0.3, 0.25, 0.2, 0.15]
NUM_MEGABATCHES = 8
SECRETS = {
    "MLFLOW_TRACKING_USERNAME": "ann-the-user",
    "MLFLOW_TRACKING_PASSWORD": "s3cret-word",
}
# Real training, at a pace that no machine outruns: the server is away in the midst of it.
UNHURRIED = """
import time
from dataclasses import dataclass
from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA

@CRITERIA.register("unhurried")
@dataclass(frozen=True)
class Unhurried(Magnitude):
    '''The size of a weight, after some thought.'''

    def scores(self, context):
        time.sleep(2)
        return super().scores(context)
"""
RAW: dict[str, Any] = {
    "name": "digits",
    "fixed": {
        "data.dataset": "digits",
        "model.architecture": "mlp",
        "model.hidden_sizes": [16],
        "pruning.schedule": "app",
        "pruning.criterion": "unhurried",
        "stream.num_megabatches": NUM_MEGABATCHES,
        "training.total_samples": 6000,
    },
    "axes": {"pruning.final_density": DENSITIES},
    "resources": {"max_concurrent": 1},
    "plugins": ["unhurried"],
}


@pytest.fixture
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[MlflowServer]:
    made = MlflowServer(database.uri, tmp_path)
    made.start()
    yield made
    made.kill()


def logged(client: MlflowClient, run: Run) -> list[tuple[str, int, str]]:
    """(metric, step, value to the last bit) of all that the server has, as often as it has it."""
    points = [
        p for key in run.data.metrics for p in client.get_metric_history(run.info.run_id, key)
    ]
    return sorted((p.key, p.step, float(p.value).hex()) for p in points)


def recorded(trial: RecordedTrial, run: Run) -> list[tuple[str, int, str]]:
    """The same of the study's own record, and the run's hyper-parameters once each."""
    points = [(p.name, p.step, float(p.value).hex()) for p in metric_points(trial.history)]
    numbers = {k: v for k, v in run.data.metrics.items() if k.startswith("hp/")}
    assert numbers["hp/pruning.final_density"] == trial.chosen["pruning.final_density"]
    return sorted(points + [(key, 0, float(value).hex()) for key, value in numbers.items()])


def test_a_server_that_is_away_for_half_a_minute_costs_no_trial_and_no_metric(
    database: Postgres, server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, secret in SECRETS.items():
        monkeypatch.setenv(variable, secret)
    (tmp_path / "unhurried.py").write_text(UNHURRIED, encoding="utf-8")
    study = LaunchedStudy(tmp_path, RAW)
    with study.start_in_a_new_interpreter(
        "launch", "study.yaml", "--tracking-uri", server.uri
    ) as process:
        study.wait_until(
            lambda r: any(len(t.history.megabatches) > 2 for t in r.trials.values()), process, 120
        )
        server.kill()
        before = study.record
        time.sleep(AWAY_S)
        after = study.record
        assert process.poll() is None, process.communicate()[0]
        server.start()
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said

    # It trained on meanwhile, told of the failure once, and of the return.
    ended = [sum(t.outcome is not None for t in r.trials.values()) for r in (before, after)]
    assert ended[0] < ended[1] < len(DENSITIES)
    assert said.count("MLflow fails and is tried again until it answers") == 1, said
    assert said.count("MLflow answers again") == 1, said
    assert f"MLflow UI  {server.uri}" in said

    client = MlflowClient(server.uri)
    (experiment,) = client.search_experiments(filter_string="name = 'app-study'")
    children = f"tags.`{names.TAG_KIND}` = '{names.KIND_TRIAL}'"
    found = client.search_runs([experiment.experiment_id], children)
    runs = {run.data.tags[names.TAG_TRIAL_KEY]: run for run in found}
    trials = study.record.trials
    assert len(found) == len(runs) == len(DENSITIES)
    assert runs.keys() == trials.keys()
    for key, trial in trials.items():
        assert trial.outcome is Outcome.COMPLETE
        assert len(trial.history.megabatches) == NUM_MEGABATCHES
        assert (runs[key].info.status, runs[key].data.tags["outcome"]) == ("FINISHED", "complete")
        assert logged(client, runs[key]) == recorded(trial, runs[key])

    _check_artifacts(client, server, list(runs.values()), tmp_path)
    models = client.search_logged_models([experiment.experiment_id])
    assert sorted(m.source_run_id for m in models) == sorted(r.info.run_id for r in found)

    code, checked = study.call("check", "digits")  # where it was tracked, without being told
    assert code == 0, checked
    assert f"agrees with its record: {len(DENSITIES)} trials" in checked
    told = said + checked + server.log + database.dump()
    for secret in (*SECRETS.values(), database.password):
        assert secret not in told
        assert [p for p in _files(tmp_path) if secret.encode() in p.read_bytes()] == []


def _check_artifacts(
    client: MlflowClient, server: MlflowServer, runs: list[Run], folder: Path
) -> None:
    """Files went to the server's store, through the server, and come back the same way."""
    for run in runs:
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        read = client.download_artifacts(
            run.info.run_id, names.MEGABATCHES_ARTIFACT, str(folder / "downloaded")
        )
        assert pq.read_table(read).num_rows == NUM_MEGABATCHES
    kept = [path for path in _files(server.artifacts) if path.name == "megabatches.parquet"]
    assert len(kept) == len(runs) + 1  # the parent's
    assert not (folder / "mlruns").exists()
    assert not (folder / "mlartifacts").exists()
    weights = [path for path in _files(server.artifacts) if path.suffix == ".safetensors"]
    assert len(weights) == 2 * len(runs)
    cards = [p for p in _files(server.artifacts) if p.name == "model_card.json"]
    assert {json.loads(card.read_text(encoding="utf-8"))["study"] for card in cards} == {"digits"}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
