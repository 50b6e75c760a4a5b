"""What a cluster's nodes lack is found before they train; a driver that dies there is followed."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.results import Outcome
from tests.helpers.launched import SMALL, LaunchedStudy, numbers, undisturbed
from tests.helpers.ray_cluster import RayCluster, ray_cluster

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(600)]

WAIT_S = 200
GPU_TOLD = """
import os
from dataclasses import dataclass
from pathlib import Path

from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA


@CRITERIA.register("tells_gpus")
@dataclass(frozen=True)
class TellsGpus(Magnitude):
    told: str = ""

    def scores(self, context):
        with Path(self.told).open("a", encoding="utf-8") as file:
            file.write(f"[{os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')}]\\n")
        return super().scores(context)
"""


def raw(**changed: Any) -> dict[str, Any]:
    return {
        "name": "nodes",
        "fixed": {
            **SMALL,
            "pruning.schedule": "app",
            "pruning.final_density": 0.2,
            "training.total_samples": 10000,
        },
        "axes": {"seed": [0, 1, 2, 3], "stream.num_megabatches": [4]},
        "resources": {"gpus_per_trial": 0.25},
        **changed,
    }


def two_classes(folder: Path) -> Path:
    """Images of two classes, as a user's own archive."""
    folder.mkdir()
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = random.integers(0, 100, (400, 1, 8, 8)) + 100 * labels[:, None, None, None]
    np.savez(folder / "data.npz", images=images.astype(np.uint8), labels=labels)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as made:
        yield made


def study_in(folder: Path, cluster: RayCluster, content: dict[str, Any]) -> LaunchedStudy:
    study = LaunchedStudy(folder, content)
    study.environment |= cluster.environment
    return study


def test_a_trial_that_fits_on_no_node_is_refused_before_the_start(
    cluster: RayCluster, tmp_path: Path
) -> None:
    node = cluster.add(gpus=1)
    content = raw(resources={"gpus_per_trial": 2})
    study = study_in(tmp_path, cluster, content)
    code, said = study.call("launch", "study.yaml", "--address", cluster.address)
    cluster.kill(node)
    assert code == 2, said
    assert "2 GPUs, the largest node has 2 and 1" in said
    assert not (tmp_path / "app-studies" / "nodes" / "record.jsonl").exists()


def test_trials_without_gpus_see_none_on_nodes_that_have_some(
    cluster: RayCluster, tmp_path: Path
) -> None:
    node = cluster.add(gpus=1)
    (tmp_path / "tells.py").write_text(GPU_TOLD, encoding="utf-8")
    content = raw(plugins=["tells"], resources={"gpus_per_trial": 0})
    content["fixed"] |= {"pruning.criterion": "tells_gpus", "pruning.told": str(tmp_path / "told")}
    content["axes"]["seed"] = [0]
    study = study_in(tmp_path, cluster, content)
    code, said = study.call("launch", "study.yaml", "--address", cluster.address)
    cluster.kill(node)
    assert code == 0, said
    assert set((tmp_path / "told").read_text(encoding="utf-8").split()) == {"[]"}


def test_a_node_without_the_data_is_named_with_the_path_and_nothing_starts(
    cluster: RayCluster, tmp_path: Path
) -> None:
    there, missing = two_classes(tmp_path / "data"), tmp_path / "nowhere"
    good = cluster.add(APP_STUDY_DATA=str(there))
    bad = cluster.add(APP_STUDY_DATA=str(missing))
    content = raw(resources={"gpus_per_trial": 0.25, "data": "on_node"})
    content["fixed"] = own_data(content["fixed"])
    study = study_in(tmp_path, cluster, content)
    study.environment["APP_STUDY_DATA"] = str(there)
    code, said = study.call("launch", "study.yaml", "--address", cluster.address)
    assert code == 2, said
    assert "Traceback" not in said
    flat = said.replace("\n", "")
    assert "node " in flat
    assert str(missing) in flat
    assert not (tmp_path / "app-studies" / "nodes" / "record.jsonl").exists()
    cluster.kill(bad)
    code, said = study.call("launch", "study.yaml", "--address", cluster.address)
    cluster.kill(good)
    assert code == 0, said
    assert all(t.outcome is Outcome.COMPLETE for t in study.record.trials.values())


def own_data(fixed: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in fixed.items() if not key.startswith("data.")}
    return {**kept, "data.dataset": "arrays", "data.path": "data.npz"}


def test_a_node_that_joins_without_the_data_gets_no_trials_and_is_told_of(
    cluster: RayCluster, tmp_path: Path
) -> None:
    there, missing = two_classes(tmp_path / "data"), tmp_path / "nowhere"
    good = cluster.add(APP_STUDY_DATA=str(there))
    content = raw(resources={"gpus_per_trial": 0.25, "data": "on_node"})
    content["fixed"] = {**own_data(content["fixed"]), "training.total_samples": 40000}
    study = study_in(tmp_path, cluster, content)
    study.environment["APP_STUDY_DATA"] = str(there)
    with study.start_in_a_new_interpreter(
        "launch", "study.yaml", "--address", cluster.address
    ) as driver:
        study.wait_until(
            lambda r: any(t.history.megabatches for t in r.trials.values()), driver, WAIT_S
        )
        bad = cluster.add(APP_STUDY_DATA=str(missing))
        said, _ = driver.communicate(timeout=WAIT_S)
    cluster.kill(good)
    cluster.kill(bad)
    assert driver.returncode == 0, said
    flat = said.replace("\n", " ")
    assert "gets no trials" in flat
    assert all(t.outcome is Outcome.COMPLETE for t in study.record.trials.values())


def test_a_driver_killed_on_a_cluster_is_followed_by_another_that_loses_nothing(
    cluster: RayCluster, tmp_path: Path
) -> None:
    node = cluster.add()
    study = study_in(tmp_path, cluster, raw())
    study_options = ("--address", cluster.address)
    with study.start_in_a_new_interpreter("launch", "study.yaml", *study_options) as driver:
        study.wait_until(
            lambda r: any(t.history.megabatches for t in r.trials.values()), driver, WAIT_S
        )
        driver.send_signal(signal.SIGKILL)
        driver.wait(timeout=30)
    code, said = study.call("resume", "nodes", *study_options)
    cluster.kill(node)
    assert code == 0, said
    trials = study.record.trials
    assert [t.outcome for t in trials.values()] == [Outcome.COMPLETE] * 4
    for trial in trials.values():
        assert numbers(trial.history) == undisturbed(trial)
