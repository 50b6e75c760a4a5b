"""A trial's numbers depend on its configuration alone: not on cuts, nor on what ran before."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from study.errors import TrialError
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import CheckpointFolder
from tests.helpers.small_trials import assert_same_trial, learner, numbers, trained, trial


def dropping_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(24, 4),
    )


def cut_everywhere(fresh: Any, folder: Path) -> tuple[AnytimeLearner, int]:
    """Train with a new learner from disk after every single record."""
    checkpoints = CheckpointFolder(folder)
    num_cuts = 0
    while True:
        made = fresh()
        state = checkpoints.load_latest()
        if state is not None:
            made.load_state_dict(state)
        if next(made.run(), None) is None:
            return made, num_cuts
        checkpoints.save(made.state_dict(), position=made.position)
        num_cuts += 1


CASES: dict[str, dict[str, Any]] = {
    "best epoch, reservoir": {"stream__replay": "reservoir", "stream__capacity": 30},
    "last epoch, SNIP": {"training__keep": "last", "pruning__criterion": "snip"},
    "regrowth": {"pruning__regrow": 0.1, "pruning__criterion": "random"},
    "fixed examples": {"training__epochs": None, "training__total_samples": 611},
    "new optimiser each megabatch": {"training__reset_optimizer": True},
    "fresh scores": {"pruning__reference_compat": True, "pruning__criterion": "snip"},
    "from scratch": {"training__start": "scratch", "pruning__criterion": "snip"},
    "from scratch, masks begun anew, channels": {
        "training__start": "scratch",
        "training__mask": "restart",
        "pruning__granularity": "channel",
        "pruning__criterion": "snip",
    },
    "shrunk and perturbed": {"training__start": "shrink_perturb"},
    "rewound": {"training__start": "rewind"},
    "rewound, the first arrival waits": {"training__start": "rewind", "training__at": (1, 2)},
    "from scratch, the last arrival waits": {
        "training__start": "scratch",
        "training__mask": "restart",
        "training__at": (0, 1),
        "training__epochs": None,
        "training__samples_per_model": 200,
    },
    "rewound, channels": {"training__start": "rewind", "pruning__granularity": "channel"},
    "channels": {"pruning__granularity": "channel", "training__momentum": 0.9},
    "channels, several rounds of fresh scores, last epoch": {
        "pruning__granularity": "channel",
        "pruning__group_score": "sum",
        "pruning__criterion": "snip",
        "pruning__rounds": 3,
        "pruning__control": "reinitialised_scores",
        "training__keep": "last",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_a_trial_cut_after_every_record_ends_as_one_that_was_never_cut(
    name: str, tmp_path: Path
) -> None:
    config = trial(
        training__augment="crop_and_flip", training__lr_milestones=(0.5,), **CASES[name]
    )

    def fresh() -> AnytimeLearner:
        return learner(config, dropping_network)

    whole = fresh()
    num_records = sum(1 for _ in whole.run())
    cut, num_cuts = cut_everywhere(fresh, tmp_path)
    assert num_cuts == num_records >= 6
    assert_same_trial(cut, whole)


def test_a_checkpoint_in_memory_is_not_changed_by_the_learners_that_go_on_from_it() -> None:
    config = trial()
    first = learner(config)
    run = first.run()
    next(run)
    state = torch.load(_written(first), weights_only=True)
    ends = []
    for _ in range(2):
        made = learner(config)
        made.load_state_dict(state)
        for _ in made.run():
            pass
        ends.append(made)
    assert_same_trial(*ends)


def _written(made: AnytimeLearner) -> Any:
    buffer = io.BytesIO()
    torch.save(made.state_dict(), buffer)
    buffer.seek(0)
    return buffer


def test_a_trial_run_twice_gives_the_same_bits_and_another_seed_others() -> None:
    one, two, other = trained(trial()), trained(trial()), trained(trial(seed=1))
    assert_same_trial(one, two)
    assert numbers(one.history) != numbers(other.history)


def test_what_ran_before_in_the_process_leaves_no_trace() -> None:
    alone = trained(trial(pruning__criterion="snip"))
    trained(trial(model__architecture="convnet", model__hidden_sizes=None, model__width=4))
    with pytest.raises(TrialError, match=r"training diverged.*training\.lr"):
        trained(trial(training__lr=1e9, training__epochs=4))
    torch.rand(7)
    assert_same_trial(trained(trial(pruning__criterion="snip")), alone)


def test_training_leaves_the_global_generators_as_they_were() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    made = learner(trial(pruning__criterion="random"), dropping_network)
    for _ in made.run():
        pass
    assert torch.equal(torch.get_rng_state(), before)


def test_the_checkpoint_of_another_trial_is_refused() -> None:
    state = trained(trial()).state_dict()
    with pytest.raises(ValueError, match="the checkpoint is of trial"):
        learner(trial(seed=1)).load_state_dict(state)


def test_the_kept_epoch_is_the_latest_of_the_best_and_its_optimiser_goes_on() -> None:
    config = trial(training__epochs=6, training__lr=0.5, training__momentum=0.9)
    made = learner(config)
    snapshots: list[tuple[float, list[torch.Tensor]]] = []
    num_not_last = 0
    for record in made.run():
        momentum = [
            s["momentum_buffer"].clone() for s in made.state_dict()["optimizer"]["state"].values()
        ]
        if hasattr(record, "epoch_index"):
            snapshots.append((record.metrics["validation_accuracy"], momentum))
            continue
        best = max(accuracy for accuracy, _ in snapshots)
        latest = max(i for i, (accuracy, _) in enumerate(snapshots) if accuracy == best)
        assert record.kept_epoch_index == latest
        assert record.metrics["validation_accuracy"] == best
        assert all(map(torch.equal, momentum, snapshots[latest][1]))
        num_not_last += latest < len(snapshots) - 1
        snapshots = []
    assert num_not_last >= 1
