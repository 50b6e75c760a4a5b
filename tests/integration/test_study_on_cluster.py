"""A study on a Ray cluster of three nodes with pretended GPUs, one of which dies in its midst."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from study.results import Outcome
from study.tracking import names
from tests.helpers.launched import SMALL, LaunchedStudy, numbers, undisturbed
from tests.helpers.ray_cluster import RayCluster, ray_cluster

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(900)]

# A plug-in that only the driver's folder has, and that tells which node it works on.
PLUGIN = """
import os
import time
from dataclasses import dataclass
from pathlib import Path

import ray

from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA


@CRITERIA.register("told_by_node")
@dataclass(frozen=True)
class ToldByNode(Magnitude):
    folder: str = ""

    def scores(self, context):
        if ray.is_initialized():
            told = Path(self.folder) / ray.get_runtime_context().get_node_id()
            with told.open("a", encoding="utf-8") as file:
                file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "unset") + "\\n")
            while (Path(self.folder).parent / "hold").exists():
                time.sleep(0.1)
        return super().scores(context)
"""


def raw(told: Path) -> dict[str, Any]:
    return {
        "name": "spread",
        "plugins": ["lab.criterion"],
        "fixed": {
            **SMALL,
            "pruning.criterion": "told_by_node",
            "pruning.folder": str(told),
            "pruning.schedule": "app",
            "training.total_samples": 10000,
        },
        "axes": {
            "pruning.final_density": [0.5, 0.4, 0.3, 0.2],
            "seed": [0, 1, 2],
            "stream.num_megabatches": [5],
        },
        "resources": {"gpus_per_trial": 0.25},
    }


NUM_TRIALS = 12
WAIT_S = 300


@dataclass
class Story:
    study: LaunchedStudy
    told: Path
    nodes: list[str] = field(default_factory=list)
    ended: tuple[int, str] = (0, "")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("study")
    told = folder / "told"
    told.mkdir()
    (folder / "lab").mkdir()
    (folder / "lab" / "__init__.py").touch()
    (folder / "lab" / "criterion.py").write_text(PLUGIN, encoding="utf-8")
    made = Story(LaunchedStudy(folder, raw(told)), told)
    with ray_cluster() as cluster:
        live(made, cluster)
    return made


def until(text: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines up to one with ``text`` in it."""
    for line in lines:
        yield line
        if text in line:
            return


def live(made: Story, cluster: RayCluster) -> None:
    first, second = cluster.add(), cluster.add()
    study = made.study
    study.environment |= cluster.environment
    with study.start_in_a_new_interpreter(
        "launch", "study.yaml", "--address", cluster.address
    ) as driver:
        study.wait_until(
            lambda record: (
                any(t.outcome for t in record.trials.values())
                and len(list(made.told.iterdir())) == 2
            ),
            driver,
            WAIT_S,
        )
        # Whoever comes to its next pruning waits for the new node to have come to one, and for
        # Ray to have told of the one that is gone, which takes it some 15 s.
        hold = made.told.parent / "hold"
        hold.touch()
        cluster.kill(second)
        third = cluster.add()
        study.wait_until(lambda _: len(list(made.told.iterdir())) == 3, driver, WAIT_S)
        assert driver.stdout is not None
        said = "".join(until(" is gone", driver.stdout))
        hold.unlink()
        said += driver.stdout.read()
    made.nodes = [cluster.id_of(node) for node in (first, second, third)]
    made.ended = (driver.returncode, said)


def test_all_trials_finish_and_trained_on_every_node(story: Story) -> None:
    code, said = story.ended
    assert code == 0, said
    assert "Traceback" not in said
    record = story.study.record
    assert record.is_finished
    assert [t.outcome for t in record.trials.values()] == [Outcome.COMPLETE] * NUM_TRIALS
    assert {path.name for path in story.told.iterdir()} == set(story.nodes)


def test_what_came_and_went_is_said(story: Story) -> None:
    _, said = story.ended
    assert " is gone; its trials continue on other nodes" in said
    assert " has joined" in said


def test_each_trial_was_given_a_part_of_one_gpu(story: Story) -> None:
    seen = {line for path in story.told.iterdir() for line in path.read_text().split()}
    assert seen == {"0"}


def test_the_numbers_are_those_of_an_undisturbed_run_to_the_last_bit(story: Story) -> None:
    for trial in story.study.record.trials.values():
        pruning = {**trial.config["pruning"], "criterion": "magnitude"}
        del pruning["folder"]
        same = replace(trial, config={**trial.config, "pruning": pruning})
        assert numbers(trial.history) == undisturbed(same)


def test_mlflow_has_every_trial_and_every_step_once(story: Story) -> None:
    runs, trials = story.study.runs(), story.study.record.trials
    assert [run.data.tags[names.TAG_TRIAL_KEY] for run in runs] == list(trials)
    for run in runs:
        history = trials[run.data.tags[names.TAG_TRIAL_KEY]].history
        steps = story.study.logged_steps(run, "holdout_error_rate")
        assert steps == list(range(len(history.megabatches)))
