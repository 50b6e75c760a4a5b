"""What fits on which nodes, and which trials take a GPU."""

from typing import Any

import pytest

from study.config.study_sections import ResourcesSection
from study.errors import StudyError
from study.trial.datasets import dataset_key, load_dataset
from study.tune.cluster.resources import is_worth_a_gpu, trial_resources, with_gpus
from tests.helpers.small_trials import trial


def room(nodes: list[dict[str, float]], **asked: float) -> int:
    return trial_resources(section(**asked), nodes).max_concurrent


def section(**asked: float) -> ResourcesSection:
    return ResourcesSection(**{"gpus_per_trial": 0, **asked})


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        ([{"CPU": 4}], {}, 4),
        ([{"CPU": 4}], {"cpus_per_trial": 3}, 1),
        ([{"CPU": 3}, {"CPU": 3}], {"cpus_per_trial": 2}, 2),
        ([{"CPU": 8, "GPU": 1}], {"gpus_per_trial": 0.25}, 4),
        ([{"CPU": 8, "GPU": 2}], {"gpus_per_trial": 0.6}, 2),
        ([{"CPU": 8, "GPU": 3}], {"gpus_per_trial": 2}, 1),
        ([{"CPU": 2, "GPU": 4}], {"gpus_per_trial": 0.5}, 2),
        ([{"CPU": 4}], {"max_concurrent": 3}, 3),
        ([{"CPU": 2}], {"max_concurrent": 16}, 2),
        ([{}, {"CPU": 1}], {}, 1),
    ],
)
def test_as_many_trials_run_as_fit_on_whole_nodes_and_whole_gpus(
    nodes: list[dict[str, float]], asked: dict[str, float], expected: int
) -> None:
    assert room(nodes, **asked) == expected


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ([{"CPU": 2}, {"CPU": 2}], {"cpus_per_trial": 4}),
        ([{"CPU": 8}], {"gpus_per_trial": 0.5}),
        ([{"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}], {"gpus_per_trial": 2}),
        ([], {}),
    ],
)
def test_what_fits_nowhere_is_refused_before_anything_waits_for_it(
    nodes: list[dict[str, float]], asked: dict[str, float]
) -> None:
    with pytest.raises(StudyError, match=r"no node can run a trial.*lower resources\."):
        room(nodes, **asked)


GPUS = [{"CPU": 2}, {"CPU": 8, "GPU": 2}]


@pytest.mark.parametrize(
    ("asked", "nodes", "is_worth_one", "expected", "said"),
    [
        ({}, GPUS, True, 1, "takes a GPU"),
        ({}, GPUS, False, 0, "too small to gain"),
        ({"gpus_per_trial": 0}, GPUS, True, 0, ""),
        ({"gpus_per_trial": 0.25}, GPUS, False, 0.25, ""),
        ({}, [{"CPU": 2}], True, 0, ""),
    ],
)
def test_a_trial_takes_a_gpu_where_there_is_one_and_it_is_worth_it_unless_told_otherwise(
    asked: dict[str, float],
    nodes: list[dict[str, float]],
    is_worth_one: bool,
    expected: float,
    said: str,
) -> None:
    decided, text = with_gpus(ResourcesSection(**asked), nodes, is_worth_one=lambda: is_worth_one)
    assert decided.gpus_per_trial == expected
    assert said in text
    assert bool(text) == bool(said)
    assert trial_resources(decided, nodes).gpus == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model__architecture": "mlp"}, False),
        ({"model__architecture": "mlp", "training__device": "cuda"}, True),
        ({"model__architecture": "resnet18"}, True),
        ({"model__architecture": "resnet18", "training__device": "cpu"}, False),
    ],
)
def test_large_networks_are_worth_a_gpu_and_small_ones_where_the_study_says_so(
    settings: dict[str, Any], expected: bool
) -> None:
    config = trial(model__hidden_sizes=None, **settings)
    assert is_worth_a_gpu(config, load_dataset(dataset_key(config.data))) == expected
