"""What a plan says is what a trial then takes."""

from typing import Any

import pytest

from study.measurement.training_speed import Speed
from study.operations.plan import counted_network, trial_cost
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_trials import trained, trial


@pytest.mark.parametrize(
    "budget",
    [
        {"training__total_samples": 900},
        {"training__total_flops": 12_000_000},
        {"training__epochs": 2},
    ],
)
@pytest.mark.parametrize("criterion", ["magnitude", "snip", "grasp", "synflow"])
def test_the_plan_counts_the_examples_that_are_trained_on_and_scored(
    criterion: str, budget: dict[str, Any]
) -> None:
    config = trial(**({"pruning__criterion": criterion, "training__epochs": None} | budget))
    dataset = load_dataset(dataset_key(config.data))
    network = counted_network(config, dataset)
    planned = trial_cost(config, dataset, network, Speed(training=1.0, evaluation=1.0))
    last = trained(config).history.megabatches[-1].metrics
    assert planned.samples == last["samples_seen"]
    assert planned.flops == last["train_flops"]
