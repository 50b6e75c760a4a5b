from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from study.data.batches import ImagePool
from study.errors import TrialError
from study.pruning.mask import Mask
from study.training.epochs import (
    EpochTraining,
    epoch_sizes,
    num_steps,
    steps_of,
    train_epoch_,
    wrong_examples,
)
from study.training.learning_rates import Steps
from study.training.optimiser import OptimiserSpec
from study.training.optimisers import Sgd
from tests.helpers.small_trials import trained, trial

SPEC = OptimiserSpec(lr=0.1, optimiser=Sgd(weight_decay=1e-2), schedule=Steps())


def pool(num: int = 20, std: float = 0.25) -> ImagePool:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num, 1, 2, 2), dtype=np.uint8)
    labels = (images[:, 0, 0, 0] > 127).astype(np.int64)
    return ImagePool(images, labels, mean=(0.5,), std=(std,), device=torch.device("cpu"))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))


def how(lr: float = 0.1) -> EpochTraining:
    return EpochTraining(
        optimiser=replace(SPEC, lr=lr, schedule=Steps(lr_milestones=())),
        batch_size=6,
        augment="none",
        precision="fp32",
        seed=0,
        position=(0, 0),
        first_step=0,
        num_steps=4,
    )


def test_a_last_epoch_of_one_example_joins_the_epoch_before() -> None:
    assert epoch_sizes(10, 21) == [10, 11]
    assert epoch_sizes(10, 25) == [10, 10, 5]
    assert epoch_sizes(10, 4) == [4]


def test_the_steps_of_the_epochs_follow_on_each_other_and_are_all_steps() -> None:
    sizes = [20, 20, 7]
    steps = [steps_of(sizes, index, batch_size=6) for index in range(3)]
    assert steps[0].start == 0
    assert all(a.stop == b.start for a, b in pairwise(steps))
    assert steps[-1].stop == num_steps(sizes, 6)


def test_pruned_weights_are_zero_after_every_step_through_momentum_and_decay() -> None:
    model = network()
    kept = torch.tensor([[True, False, True, False], [False, True, True, True]])
    mask = Mask({"1.weight": kept})
    mask.apply_(model)
    optimiser = SPEC.build(model)
    seen = []
    optimiser.register_step_pre_hook(
        lambda *_: seen.append(bool((model[1].weight[~kept] == 0).all()))
    )
    before = model[1].weight[kept].clone()
    train_epoch_(model, optimiser, mask, pool(), np.arange(20), how())
    assert seen == [True] * 4
    assert torch.all(model[1].weight[~kept] == 0)
    assert not torch.equal(model[1].weight[kept], before)


def test_loss_and_accuracy_are_means_over_examples_as_they_were_trained() -> None:
    model = network()
    inputs, labels = next(pool().minibatches(np.arange(20), batch_size=20))
    logits = model(inputs).detach()
    loss, accuracy = train_epoch_(
        model, SPEC.build(model), Mask.dense({"1.weight": model[1].weight}), pool(),
        np.arange(20), how(lr=0.0),
    )  # fmt: skip
    assert loss == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    assert accuracy == int((logits.argmax(1) == labels).sum()) / 20


@pytest.mark.parametrize("size", [6, 20])
def test_divergence_is_told_even_if_only_the_last_step_broke_the_weights(size: int) -> None:
    model = network()
    mask = Mask.dense({"1.weight": model[1].weight})
    with pytest.raises(TrialError, match=r"epoch 0 of megabatch 0; try a smaller training\.lr"):
        train_epoch_(model, SPEC.build(model), mask, pool(std=1e-3), np.arange(size), how(lr=3e38))


def test_errors_are_counted_in_evaluation_mode_and_leave_the_network_alone() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(4, 2))
    before = {n: t.clone() for n, t in model.state_dict().items()}
    counts = {
        int(wrong_examples(model, pool(), np.arange(20), precision="fp32").sum()) for _ in range(5)
    }
    assert len(counts) == 1
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_a_loss_that_explodes_is_divergence_though_it_is_a_number() -> None:
    with pytest.raises(
        TrialError, match=r"training diverged: the loss exploded, to .*training.lr"
    ):
        trained(trial(training__lr=100.0))


def test_a_learning_rate_that_is_merely_bad_is_no_divergence() -> None:
    made = trained(trial(training__lr=1.0))
    assert len(made.history.megabatches) == 3
