"""Every trial is described in the same keys, whatever its method."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import nn

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml
from study.tracking import names
from study.tracking.facts import TrialInfo
from study.trial.assembly import known_density
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info
from study.trial.titles import title_of
from tests.helpers.small_studies import FIXED, search

DENSE = {"pruning.schedule": "dense", "stream.num_megabatches": 2}
APP = {"pruning.schedule": "app", "pruning.final_density": 0.512, "stream.num_megabatches": 4}
GEOMETRIC = {"pruning.schedule": "geometric", "pruning.rate": 0.2, "stream.num_megabatches": 4}


def study() -> StudyConfig:
    return search(points=[DENSE, APP, GEOMETRIC])


def described(chosen: dict[str, Any]) -> TrialInfo:
    trial = study().compose(chosen)
    key = dataset_key(trial.data)
    return TrialDescriber(study(), {key: load_dataset(key)}).describe(trial, number=7)


def test_every_method_has_the_same_params_and_hyperparameters() -> None:
    infos = [described(chosen) for chosen in (DENSE, APP, GEOMETRIC)]
    assert len({frozenset(info.params) for info in infos}) == 1
    assert len({frozenset(info.hyperparameters) for info in infos}) == 1
    assert len({frozenset(info.tags) for info in infos}) == 1
    assert infos[0].params["pruning.rate"] == names.NOT_APPLICABLE


def test_density_tau_and_rate_of_any_method_are_logged_as_if_each_had_been_set() -> None:
    app = described(APP).hyperparameters
    assert app["pruning.final_density"] == pytest.approx(0.512)
    assert app["pruning.tau"] == pytest.approx(3.0)
    assert pytest.approx((1 - app["pruning.rate"]) ** 4) == 0.512
    geometric = described(GEOMETRIC).hyperparameters
    assert geometric["pruning.rate"] == pytest.approx(0.2)
    assert geometric["pruning.final_density"] == pytest.approx(0.8**4)
    dense = described(DENSE).hyperparameters
    assert dense["pruning.final_density"] == 1.0
    assert dense["pruning.tau"] == dense["pruning.rate"] == 0.0
    assert dense["stream.num_megabatches"] == 2.0


def test_sizes_of_data_and_network_are_logged() -> None:
    params = described(APP).params
    assert params["model.num_prunable"] == 64 * 12 + 12 * 4
    normalisation, bias = 2 * 12, 4
    assert params["model.num_parameters"] == 64 * 12 + normalisation + 12 * 4 + bias
    assert params["data.test_size"] == 24
    assert params["data.num_classes"] == 4


def test_where_the_data_lies_is_not_logged() -> None:
    assert not [path for path in described(APP).params if path.endswith("root")]
    assert not [path for path in study_info(study(), num_trials=1).params if path.endswith("root")]


def test_the_title_says_method_target_stream_network_and_seed() -> None:
    trials = [study().compose(chosen) for chosen in (DENSE, APP, GEOMETRIC)]
    assert [title_of(trial.to_dict()) for trial in trials] == [
        "dense T=2 mlp seed=0",
        "app d=0.51 T=4 mlp seed=0",
        "geometric rate=0.2 T=4 mlp seed=0",
    ]


def test_trials_that_begin_from_other_weights_have_other_titles(tmp_path: Path) -> None:
    places = [tmp_path / "a" / "w.pt", tmp_path / "b" / "w.pt"]
    for number, place in enumerate(places):
        place.parent.mkdir()
        place.write_bytes(bytes([number]))
    made = search(points=[{**DENSE, "model.weights": w} for w in (None, *map(str, places))])
    nothing, *from_files = (
        title_of(made.compose(point).to_dict(), made.differing) for point in made.points
    )
    assert "weights" not in nothing
    assert all(" weights=w.pt@" in title for title in from_files)
    assert len({nothing, *from_files}) == 3


@pytest.mark.parametrize("chosen", [DENSE, APP, GEOMETRIC])
def test_the_config_left_with_a_trial_is_a_study_of_just_that_trial(
    chosen: dict[str, Any],
) -> None:
    info = described(chosen)
    alone = parse_study(read_yaml(info.config_yaml))
    (point,) = alone.points
    assert alone.compose(point).key() == info.key
    assert alone.objective == study().objective


def test_identity_and_method_are_tags() -> None:
    info = described(GEOMETRIC)
    assert (info.number, info.key) == (7, study().compose(GEOMETRIC).key())
    assert info.tags[names.TAG_METHOD] == "geometric"
    assert info.tags[names.TAG_ARCHITECTURE] == FIXED["model.architecture"]
    assert info.tags[names.TAG_DATASET] == FIXED["data.dataset"]


def test_a_study_is_logged_with_its_space_its_objectives_and_a_config_that_reads_back() -> None:
    info = study_info(study(), num_trials=7)
    assert info.objectives == ("service_error", "final_density")
    assert info.params["num_trials"] == 7
    assert {p for p in info.params if p.startswith("search.space.")} == {
        f"search.space.{path}" for path in study().space.paths
    }
    assert parse_study(read_yaml(info.config_yaml)) == study()


def test_every_method_has_the_same_numeric_hyperparameters_so_that_no_axis_drops_a_run() -> None:
    space = {
        "pruning.schedule": ["dense", "app", "geometric", "open_ended"],
        "pruning.final_density": {
            "low": 0.1, "high": 1.0, "when": {"pruning.schedule": ["app"]}
        },
        "pruning.rate": {"low": 0.1, "high": 0.5, "when": {"pruning.schedule": ["geometric"]}},
    }  # fmt: skip
    searched = search(space=space)
    key = dataset_key(next(searched.corners()).data)
    describer = TrialDescriber(searched, {key: load_dataset(key)})
    infos = [describer.describe(trial, number=0) for trial in searched.corners()]
    assert {info.tags["method"] for info in infos} == {"dense", "app", "geometric", "open_ended"}
    (keys,) = {frozenset(info.hyperparameters) for info in infos}
    assert {"seed", "training.lr", "pruning.final_density", "pruning.rate", "pruning.tau"} <= keys
    assert all(math.isfinite(value) for info in infos for value in info.hyperparameters.values())


def test_a_trial_says_which_data_it_learns_from_and_not_where_they_lie() -> None:
    searched = study()
    key = dataset_key(next(searched.corners()).data)
    dataset = load_dataset(key)
    info = TrialDescriber(searched, {key: dataset}).describe(next(searched.corners()), number=0)
    assert info.dataset is not None
    assert info.dataset.digest == dataset.digest() == load_dataset(key).digest()
    changed = dataset.train_labels.copy()
    changed[0] = (changed[0] + 1) % dataset.num_classes
    assert dataclasses.replace(dataset, train_labels=changed).digest() != info.dataset.digest
    assert "root" not in info.dataset.settings


def test_the_augmentation_that_is_logged_is_the_one_that_is_used() -> None:
    for own, logged in ((None, "none"), ("none", "none"), ("crop_and_flip", "crop_and_flip")):
        chosen = {**APP, "training.augment": own}
        made = search(points=[{k: v for k, v in chosen.items() if v is not None}])
        trial = made.compose(made.points[0])
        key = dataset_key(trial.data)
        info = TrialDescriber(made, {key: load_dataset(key)}).describe(trial, number=0)
        assert info.params["training.augment"] == logged


def test_where_weights_lie_is_logged_nowhere(tmp_path: Path) -> None:
    place = tmp_path / "w.safetensors"
    save_file(dict(nn.Linear(2, 2).state_dict()), place)
    made = search(points=[{**APP, "model.weights": str(place)}])
    trial = made.compose(made.points[0])
    key = dataset_key(trial.data)
    info = TrialDescriber(made, {key: load_dataset(key)}).describe(trial, number=0)
    assert str(tmp_path) not in str({**info.params, **study_info(made, num_trials=1).params})
    assert info.params["model.weights_digest"] == trial.model.weights_digest


def test_a_stream_whose_last_arrivals_wait_ends_where_its_last_model_was_pruned_to() -> None:
    made = search(points=[{**APP, "training.at": [[0, 2]]}])
    trial = made.compose(made.points[0])
    assert known_density(trial) == pytest.approx(0.8 ** (1 + 2 * 2 / 3))
    whole = search(points=[{**APP, "training.at": [[0, 3]]}])
    assert known_density(whole.compose(whole.points[0])) == pytest.approx(0.512)
