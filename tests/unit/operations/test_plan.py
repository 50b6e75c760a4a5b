"""What a plan says is what a trial then takes."""

from collections.abc import Hashable, Mapping
from typing import Any

import pytest

from study.config.study import parse_study
from study.measurement.training_speed import Speed
from study.operations import plan
from study.operations.plan import trial_cost
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_studies import FIXED
from tests.helpers.small_trials import trained, trial


def test_seeds_multiply_what_a_trial_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []

    def measured(networks: Mapping[Hashable, object], **_: object) -> dict[Hashable, Speed]:
        timed.append(len(networks))
        return dict.fromkeys(networks, Speed(training=1.0, evaluation=1.0, is_timed=False))

    monkeypatch.setattr(plan, "measure_speeds", measured)
    fixed = FIXED | {"pruning.final_density": 0.5}
    alone, thrice = (
        plan.plan_study(
            parse_study({"name": "x", "fixed": fixed, "axes": {"seed": seeds}}), max_concurrent=1
        )
        for seeds in ([0], [0, 1, 2])
    )
    assert thrice.costs == 3 * alone.costs
    assert thrice.num_known == 3
    assert timed == [1, 1]
    assert not thrice.is_timed


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
    planned = trial_cost(config, dataset, Speed(training=1.0, evaluation=1.0))
    last = trained(config).history.megabatches[-1].metrics
    assert planned.samples == last["samples_seen"]
    assert planned.flops == last["train_flops"]
