import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from study.config.problems import ConfigError
from study.errors import TrialError
from study.training.training_plan import num_examples
from study.trial.assembly import split, stream
from study.trial.checks import check_trial
from study.trial.datasets import dataset_key, load_dataset
from study.trial.notices import notices
from study.trial.read_data import load_and_check
from tests.helpers.small_trials import learner, trained, trial

CONVNET = {"model__architecture": "convnet", "model__hidden_sizes": None, "model__width": 4}
OPEN_ENDED = {"pruning__schedule": "open_ended", "pruning__final_density": None}

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "more megabatches than images": (
        {"stream__num_megabatches": 200}, "stream.num_megabatches", "108 examples",
    ),
    "holdout of nothing": ({"data__holdout_fraction": 0.001}, "data", "holdout split would be"),
    "too many shots": ({"data__shots_per_class": 99}, "data", "may be at most"),
    "too few examples for a total": (
        {"training__epochs": None, "training__total_samples": 4},
        "training.total_samples", "are needed",
    ),
    "one example a megabatch under batch normalisation": (
        {"stream__num_megabatches": 108}, "stream.num_megabatches", "one training example",
    ),
    "exclude that matches nothing": (
        {"pruning__exclude": ("nothing",)}, "pruning.exclude", "matches no prunable layer",
    ),
    "fewer weights than layers": (
        {"pruning__final_density": 1e-4}, "pruning.final_density", "one weight in each of its",
    ),
    "a rate that leaves nothing": (
        {"pruning__schedule": "geometric", "pruning__final_density": None, "pruning__rate": 0.99},
        "pruning.rate", "one weight in each of its",
    ),
    "a floor that leaves nothing": (
        {**OPEN_ENDED, "pruning__floor": 1e-5}, "pruning.floor", "one weight in each of its",
    ),
    "a plateau without validation": (
        {**OPEN_ENDED, "pruning__driver": "plateau", "stream__validation_fraction": 0.0},
        "pruning.driver", "stream.validation_fraction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_would_fail_later_is_reported_before_with_path_and_remedy(name: str) -> None:
    overrides, path, words = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        load_and_check({"only": trial(**overrides)})
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in problem.message


def test_an_arrival_that_is_not_there_is_named_by_its_path_in_the_study_file(
    tmp_path: Path,
) -> None:
    for given, words in (
        (f"{tmp_path}/new.npz", "no file or folder"),
        ("new.npz", "no data.root"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_and_check({"only": trial(data__arrivals=(given,))})
        (problem,) = caught.value.problems
        assert problem.path == "data.arrivals"
        assert words in problem.message


def test_one_example_a_megabatch_is_fine_without_batch_normalisation() -> None:
    config = trial(stream__num_megabatches=108, model__batch_norm=False, training__epochs=1)
    assert check_trial(config, load_dataset(dataset_key(config.data))) == []
    assert next(learner(config).run()).megabatch_index == 0


STREAM_OF_SINGLES: dict[str, Any] = {
    "data__shots_per_class": 2,
    "data__holdout_fraction": 0.0,
    "stream__num_megabatches": 7,
    "stream__validation_fraction": 0.0,
    "saliency__source": "newest",
    "pruning__criterion": "snip",
    "training__epochs": 1,
}


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        (STREAM_OF_SINGLES, "saliency.source", "take replayed, or fewer megabatches"),
        (
            {"pruning__criterion": "snip", "saliency__batch_size": 1},
            "saliency.batch_size",
            "take at",
        ),
        ({"pruning__regrow": 0.1, "saliency__batch_size": 1}, "saliency.batch_size", "at least 2"),
    ],
)
def test_scoring_on_one_example_under_batch_normalisation_is_refused_as_it_would_fail(
    settings: dict[str, Any], path: str, words: str
) -> None:
    config = trial(**settings)
    (problem,) = check_trial(config, load_dataset(dataset_key(config.data)))
    assert problem.path == path
    assert words in problem.message
    with pytest.raises(TrialError, match="more than 1 value per channel"):
        trained(config)


@pytest.mark.parametrize(
    "settings",
    [
        {"saliency__batch_size": 1},  # magnitude looks at no example
        {**STREAM_OF_SINGLES, "saliency__source": "replayed"},
        {**STREAM_OF_SINGLES, "pruning__schedule": "one_shot"},  # scores the first part alone
        {**STREAM_OF_SINGLES, "model__batch_norm": False},
        {
            "saliency__batch_size": 1,
            "pruning__criterion": "snip",
            "pruning__schedule": "dense",
            "pruning__final_density": None,
        },
    ],
)
def test_one_example_is_fine_where_nothing_is_scored_on_it(settings: dict[str, Any]) -> None:
    config = trial(**settings)
    assert check_trial(config, load_dataset(dataset_key(config.data))) == []
    assert trained(config).history.megabatches[-1].is_last


def test_all_problems_of_all_trials_are_reported_at_once() -> None:
    bad = trial(stream__num_megabatches=200)
    worse = trial(pruning__final_density=1e-4, training__epochs=None, training__total_samples=4)
    with pytest.raises(ConfigError) as caught:
        load_and_check({"a": bad, "b": worse, "c": trial()})
    assert len(caught.value.problems) == 3


def test_a_right_trial_is_quiet_and_its_data_is_loaded_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trials = {"a": trial(), "b": trial(seed=1), "c": trial(**CONVNET)}
    with caplog.at_level(logging.WARNING):
        assert len(load_and_check(trials)) == 1
    assert not caplog.records


def test_it_is_said_once_that_no_example_is_left_to_choose_the_best_epoch_by(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = trial(stream__validation_fraction=0.0)
    with caplog.at_level(logging.WARNING):
        load_and_check({"a": config, "b": trial(stream__validation_fraction=0.0, seed=1)})
    (record,) = caplog.records
    assert "training.keep is best" in record.getMessage()
    run = learner(config).run()
    kept = [r.kept_epoch_index for r in run if hasattr(r, "kept_epoch_index")]
    assert kept == [1, 1, 1]


@pytest.mark.parametrize(("density", "is_noticed"), [(1.0, False), (0.9, True), (0.79, False)])
def test_it_is_said_that_app_up_to_tau_1_is_one_shot(density: float, is_noticed: bool) -> None:
    config = trial(pruning__final_density=density)
    found = notices(config, load_dataset(dataset_key(config.data)))
    assert ["one_shot" in notice for notice in found] == [True] * is_noticed


@pytest.mark.parametrize(("left", "is_said"), [(0, False), (1, False), (2, True), (40, False)])
def test_a_small_mini_batch_at_the_end_of_an_epoch_is_said_where_it_does_harm(
    left: int, is_said: bool
) -> None:
    few = {"data__num_examples": 400, "stream__num_megabatches": 1}
    config = trial(**CONVNET, **few)
    dataset = load_dataset(dataset_key(config.data))
    (size,), _ = num_examples(
        config.stream.plugin("replay"), stream(config, split(config, dataset)), seed=config.seed
    )
    found = notices(trial(**CONVNET, **few, training__batch_size=size - left), dataset)
    assert ["mini-batch of 2 instead of" in notice for notice in found] == [True] * is_said
    if is_said:
        better = int(found[0].rpartition("training.batch_size ")[2].split()[0])
        assert not notices(trial(**CONVNET, **few, training__batch_size=better), dataset)


def test_checking_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    load_and_check({"a": trial(**CONVNET)})
    assert torch.equal(torch.get_rng_state(), before)


def test_a_budget_that_scoring_uses_up_is_refused_with_the_remedy_before_the_start() -> None:
    config = trial(
        pruning__criterion="snip",
        saliency__fraction=1.0,
        training__epochs=None,
        training__total_samples=180,
    )
    (problem,) = check_trial(config, load_dataset(dataset_key(config.data)))
    assert problem.path == "training.total_samples"
    assert "lower saliency.fraction" in problem.message
    with pytest.raises(TrialError, match="scoring its weights takes"):
        trained(config)
