"""What fits on which nodes."""

import pytest

from study.config.study_sections import ResourcesSection
from study.errors import StudyError
from study.tune.cluster.resources import trial_resources


def room(nodes: list[dict[str, float]], **asked: float) -> int:
    return trial_resources(ResourcesSection(**asked), nodes).max_concurrent


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
