"""What every optimiser and every learning-rate schedule must do, those of users included."""

import pickle
from typing import Any

import pytest
import torch

from study.training.learning_rates import LR_SCHEDULES
from study.training.optimisers import OPTIMISERS
from tests.helpers.small_trials import assert_same_trial, learner, trained, trial


def descent(optimiser: str, schedule: str) -> dict[str, Any]:
    """A short trial by them, at a rate that all of them take."""
    return {
        "training__optimizer": optimiser,
        "training__lr_schedule": schedule,
        "training__lr": 0.01,
        "training__warmup": 0.1,
        "training__label_smoothing": 0.1,
        "training__clip_norm": 1.0,
        "pruning__criterion": "snip",
    }


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_an_optimiser_is_frozen_documented_and_survives_pickling(name: str) -> None:
    cls = OPTIMISERS.get(name)
    assert cls.__doc__
    assert pickle.loads(pickle.dumps(cls())) == cls()


@pytest.mark.parametrize("optimiser", OPTIMISERS.names())
@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_pruned_weights_are_zero_at_every_step_and_counts_stay_exact(
    optimiser: str, granularity: str
) -> None:
    config = trial(**descent(optimiser, "cosine"), pruning__granularity=granularity)
    made = learner(config)
    seen = []

    def watch(*_: object) -> None:
        held = made.network.pruner.held(made.mask)
        weights = dict(made.model.named_parameters())
        seen.append(all(bool((weights[n][~kept] == 0).all()) for n, kept in held.tensors.items()))

    for _ in made.run():
        made.network.optimiser.register_step_pre_hook(watch)
    assert seen
    assert all(seen)
    # The learner itself checks counts and nesting at each event, and the network as it closes.
    assert made.history.megabatches[-1].metrics["density"] < 0.5


@pytest.mark.parametrize("optimiser", OPTIMISERS.names())
def test_what_comes_back_brings_nothing_that_was_gathered_while_it_was_pruned(
    optimiser: str,
) -> None:
    config = trial(
        **descent(optimiser, "constant"), pruning__regrow=0.3, stream__num_megabatches=3
    )
    made = learner(config)
    run = made.run()
    while len(made.history.megabatches) < 1:
        next(run)
    before = made.mask
    train, _ = made._training_plan.examples(1)
    made._open(train)
    returned = {n: kept & ~before.tensors[n] for n, kept in made.mask.tensors.items()}
    assert any(bool(back.any()) for back in returned.values())
    weights = dict(made.model.named_parameters())
    for name, back in returned.items():
        for remembered in made.network.optimiser.state[weights[name]].values():
            if isinstance(remembered, torch.Tensor) and remembered.shape == back.shape:
                assert not remembered[back].any()


@pytest.mark.parametrize("schedule", LR_SCHEDULES.names())
@pytest.mark.parametrize("optimiser", OPTIMISERS.names())
def test_a_trial_that_is_cut_goes_on_to_the_same_bits(optimiser: str, schedule: str) -> None:
    config = trial(**descent(optimiser, schedule))
    whole, first, second = trained(config), learner(config), learner(config)
    run = first.run()
    for _ in range(3):
        next(run)
    second.load_state_dict(first.state_dict())
    for _ in second.run():
        pass
    assert_same_trial(second, whole)


@pytest.mark.parametrize("name", LR_SCHEDULES.names())
@pytest.mark.parametrize("num_steps", [1, 2, 17, 1000])
def test_a_schedule_begins_at_the_rate_and_stays_finite_and_positive(
    name: str, num_steps: int
) -> None:
    schedule = LR_SCHEDULES.get(name)()
    factors = [schedule.factor(step, num_steps=num_steps) for step in range(num_steps)]
    assert factors[0] == 1.0
    assert all(0 < factor <= 1 for factor in factors)


def test_gradients_are_clipped_over_what_is_kept_alone() -> None:
    usual = trained(trial(pruning__criterion="snip"))
    loose = trained(trial(pruning__criterion="snip", training__clip_norm=1e9))
    tight = trained(trial(pruning__criterion="snip", training__clip_norm=1e-3))
    errors = [m.metrics["train_error_rate"] for m in usual.history.megabatches]
    assert errors == [m.metrics["train_error_rate"] for m in loose.history.megabatches]
    assert usual.history != tight.history
