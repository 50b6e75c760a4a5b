"""A trial whose FLOPs are given: training.total_flops."""

import copy
from typing import Any

import pytest

from study.errors import TrialError
from study.models.flops import FlopCount, training_flops
from study.pruning.mask import Mask
from study.training.anytime import AnytimeLearner
from study.training.trained_network import TrainedNetwork
from study.trial.checks import check_trial
from study.trial.datasets import dataset_key, load_dataset
from study.trial.meta_network import example_cost, meta_model
from tests.helpers.small_trials import assert_same_trial, learner, numbers, trained, trial


def by_flops(**changes: Any) -> AnytimeLearner:
    """A trial of twelve million FLOPs and one, that scores its weights on data."""
    defaults = {"pruning__criterion": "snip", "training__epochs": None}
    return learner(trial(**(defaults | {"training__total_flops": 12_000_001} | changes)))


class Shrinking(TrainedNetwork):
    """A network that costs in proportion to its density, as if it were cut."""

    def prune_(self, mask: Mask) -> None:
        super().prune_(mask)
        dense, share = self.dense_flops, mask.density
        by_parameter = {name: round(flops * share) for name, flops in dense.by_parameter.items()}
        self.flops = FlopCount(round(dense.forward * share), by_parameter)


def shrinking(**changes: Any) -> AnytimeLearner:
    made = by_flops(**changes)
    made.network.__class__ = Shrinking
    return made


def run(made: AnytimeLearner) -> AnytimeLearner:
    for _ in made.run():
        pass
    return made


def spent(made: AnytimeLearner) -> list[float]:
    return [m.metrics["train_flops"] for m in made.history.megabatches]


def test_flops_of_a_network_that_stays_as_it_is_are_its_examples_in_another_unit() -> None:
    config = trial(pruning__criterion="snip", training__epochs=None, training__total_samples=900)
    dataset = load_dataset(dataset_key(config.data))
    price = example_cost(meta_model(config, dataset), dataset).flops
    by_samples = trained(config)
    assert numbers(run(by_flops(training__total_flops=900 * price)).history) == numbers(
        by_samples.history
    )
    assert spent(by_samples)[-1] == 900 * price


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("replay", ["none", "full"])
def test_the_whole_misses_the_flops_by_half_an_example_and_so_does_every_part(
    keep: str, replay: str
) -> None:
    made = run(shrinking(training__keep=keep, stream__replay=replay))
    parts = [1, 2, 3] if replay == "none" else [1, 3, 6]
    dense = training_flops(by_flops().network.flops, 1)
    for done, part in zip(spent(made), parts, strict=True):
        assert done == pytest.approx(12_000_001 * part / parts[-1], abs=0.5 * dense)
    last = training_flops(made.network.flops, 1)
    assert abs(spent(made)[-1] - 12_000_001) <= 0.5 * last < 0.2 * dense


def test_what_gets_smaller_trains_on_more_examples() -> None:
    seen = [
        run(made).history.megabatches[-1].metrics["samples_seen"]
        for made in (by_flops(), shrinking())
    ]
    assert seen[1] > 1.4 * seen[0]


def test_from_every_checkpoint_it_goes_on_to_the_same_bits_with_what_was_carried_on() -> None:
    whole = shrinking()
    states = [copy.deepcopy(whole.state_dict()) for _ in whole.run()]
    for state in states:
        resumed = shrinking()
        resumed.load_state_dict(state)
        assert_same_trial(run(resumed), whole)


def test_a_budget_that_is_too_small_is_refused_with_path_numbers_and_remedy() -> None:
    config = trial(
        pruning__criterion="snip",
        saliency__fraction=1.0,
        training__epochs=None,
        training__total_flops=1_000_000,
    )
    (problem,) = check_trial(config, load_dataset(dataset_key(config.data)))
    assert problem.path == "training.total_flops"
    assert "= 1,000,000 leaves megabatch 0 with" in problem.message
    assert "raise it, lower saliency.fraction" in problem.message
    with pytest.raises(TrialError, match=r"training\.total_flops = 1,000,000 leaves"):
        trained(config)
