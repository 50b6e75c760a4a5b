"""Laws of titles: no two trials of a study share one, and none depends on the other trials."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.config.loading import study_from_raw
from study.config.study_config import StudyConfig
from study.pruning.granularity.channels import Channels
from study.trial.titles import title_of

VALUES: dict[str, tuple[Any, ...]] = {
    "seed": (0, 1, 12),
    "data.dataset": ("digits", "synthetic"),
    "data.seed": (0, 1, 12),
    "data.holdout_fraction": (0.1, 0.25),
    "data.shots_per_class": (None, 10, 100),
    "stream.num_megabatches": (1, 2, 16),
    "stream.replay": ("full", "none"),
    "model.architecture": ("mlp", "convnet", "resnet20"),
    "pruning.criterion": ("snip", "magnitude", "random"),
    "pruning.allocation": ("global", "uniform"),
    "pruning.granularity": ("weight", "channel"),
    "pruning.control": ("none", "shuffle_within_layers"),
    "pruning.exclude": ((), ("first",), ("first", "last")),
    "pruning.regrow": (0.0, 0.1),
    "pruning.reference_compat": (False, True),
    "saliency.fraction": (0.1, 0.2),
    "saliency.batch_size": (50, 64),
    "training.batch_size": (50, 64),
    "training.lr": (0.05, 0.1, 0.1234),
    "training.lr_milestones": ((), (0.5,), (0.4, 0.8)),
    "training.augment": (None, "crop_and_flip", "none"),
    "training.precision": ("fp32", "bf16"),
}
TARGETS: dict[str, tuple[float, ...]] = {
    "pruning.final_density": (0.1, 0.123, 0.1234, 0.2),
    "pruning.tau": (4.5, 4.51, 10.0),
}
LAW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def axes(draw: st.DrawFn) -> dict[str, list[Any]]:
    """One group of axes: some paths, each with some of its values that a study takes together."""
    target = draw(st.sampled_from(sorted(TARGETS)))
    table = {target: TARGETS[target], **VALUES}
    paths = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True))
    if "pruning.granularity" in paths:
        paths = [path for path in paths if path not in Channels.refuses]
    return {
        path: draw(st.lists(st.sampled_from(table[path]), min_size=1, max_size=2, unique=True))
        for path in (target, *paths)
    } | {"pruning.schedule": draw(st.sampled_from([["app"], ["dense", "app"], ["one_shot"]]))}


def _study(groups: list[dict[str, list[Any]]]) -> StudyConfig:
    return study_from_raw({"name": "titles", "fixed": {"training.epochs": 1}, "axes": groups})


def _titles(study: StudyConfig) -> dict[str, str]:
    trials = [study.compose(chosen) for chosen in study.points]
    return {trial.key(): title_of(trial.to_dict(), study.differing) for trial in trials}


@LAW
@given(st.lists(axes(), min_size=1, max_size=2))
def test_trials_that_differ_have_titles_that_differ(groups: list[dict[str, list[Any]]]) -> None:
    titles = _titles(_study(groups))
    assert len(set(titles.values())) == len(titles)


@LAW
@given(axes())
def test_a_title_is_the_same_from_the_configuration_and_from_its_record(
    group: dict[str, list[Any]],
) -> None:
    study = _study([group])
    trial = study.compose(study.points[0])
    recorded = json.loads(json.dumps(trial.to_dict()))
    assert title_of(recorded, study.differing) == title_of(trial.to_dict(), study.differing)


def test_a_study_of_what_titles_show_anyway_has_the_short_ones() -> None:
    study = _study(
        [
            {
                "pruning.schedule": ["dense", "app"],
                "pruning.final_density": [0.2],
                "stream.num_megabatches": [8],
                "model.architecture": ["resnet20"],
                "seed": [0, 1],
            }
        ]
    )
    assert list(_titles(study).values()) == [
        "dense T=8 resnet20 seed=0",
        "dense T=8 resnet20 seed=1",
        "app d=0.2 T=8 resnet20 seed=0",
        "app d=0.2 T=8 resnet20 seed=1",
    ]


def test_what_else_varies_stands_before_the_seed_by_its_value_or_its_name() -> None:
    study = _study(
        [
            {
                "pruning.criterion": ["snip"],
                "pruning.allocation": ["uniform"],
                "pruning.final_density": [0.1234],
                "training.precision": ["bf16"],
                "training.lr": [0.05],
                "training.nesterov": [True],
                "training.batch_size": [32],
                "data.seed": [3],
            }
        ]
    )
    assert list(_titles(study).values()) == [
        "app d=0.1234 T=8 convnet snip uniform bf16 lr=0.05 nesterov=true "
        "training.batch_size=32 data.seed=3 seed=0"
    ]


def test_a_path_that_only_a_point_sets_is_said_of_all_trials() -> None:
    search = {
        "space": {"stream.num_megabatches": [2, 4]},
        "points": [{"stream.num_megabatches": 2, "pruning.criterion": "magnitude"}],
    }
    fixed = {"training.total_samples": 600, "pruning.final_density": 0.5}
    raw = {"name": "titles", "fixed": fixed, "search": search, "budget": {"trials": 2}}
    study = study_from_raw(raw | {"objective": {"metrics": ["service_error"]}})
    titles = [title_of(t.to_dict(), study.differing) for t in study.corners()]
    assert titles[0] == "app d=0.5 T=2 convnet magnitude seed=0"
    assert titles[1] == "app d=0.5 T=2 convnet snip seed=0"


def test_channels_are_said_of_all_that_is_pruned_by_them_and_of_nothing_that_is_dense() -> None:
    group = {"pruning.schedule": ["dense", "app"], "pruning.final_density": [0.5]}
    fixed = {"training.epochs": 1, "pruning.granularity": "channel"}
    study = study_from_raw({"name": "titles", "fixed": fixed, "axes": [group]})
    assert list(_titles(study).values()) == [
        "dense T=8 convnet seed=0",
        "app d=0.5 T=8 convnet channel seed=0",
    ]
