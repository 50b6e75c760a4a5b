"""What a megabatch begins with: training.start."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from study.config.problems import ConfigError
from study.pruning.prune import num_kept
from study.results import MegabatchRecord
from study.training.anytime import AnytimeLearner
from study.trial.assembly import build_model, scored_examples
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_trials import learner, numbers, trained, trial

RESTART = {"training__start": "scratch", "training__mask": "restart"}
STARTS: dict[str, dict[str, Any]] = {
    "scratch": {"training__start": "scratch"},
    "scratch, restarted": RESTART,
    "shrink_perturb": {"training__start": "shrink_perturb"},
    "rewind": {"training__start": "rewind"},
}


def parameters(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def opened(config: Any, megabatch_index: int) -> tuple[AnytimeLearner, Mapping[str, Tensor]]:
    """A learner as the megabatch begins to train, and the parameters of the model before."""
    made = learner(config)
    run = made.run()
    while len(made.history.megabatches) < megabatch_index:
        next(run)
    before = parameters(made.model)
    train, _ = made._training_plan.examples(megabatch_index)
    made._open(train)
    return made, before


def test_shrink_and_perturb_is_the_sum_of_the_trained_and_the_fresh_network() -> None:
    config = trial(training__start="shrink_perturb", training__shrink=0.4, training__perturb=0.05)
    made, before = opened(config, 1)
    fresh = parameters(made.network.fresh("start", 1))
    for name, found in parameters(made.model).items():
        kept = made.mask.tensors.get(name, torch.ones_like(found, dtype=torch.bool))
        wanted = (0.4 * before[name] + 0.05 * fresh[name]) * kept
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)


def test_shrink_by_nothing_and_no_perturbation_leaves_the_trained_weights() -> None:
    config = trial(training__start="shrink_perturb", training__shrink=1.0, training__perturb=0.0)
    made, before = opened(config, 2)
    usual, _ = opened(trial(), 2)
    assert made.mask.density == usual.mask.density
    for name, found in parameters(made.model).items():
        kept = made.mask.tensors.get(name, torch.ones_like(found, dtype=torch.bool))
        assert torch.equal(found, before[name] * kept)


def test_rewind_goes_back_to_the_first_model_under_the_mask_of_today() -> None:
    config = trial(training__start="rewind", training__momentum=0.9)
    made = learner(config)
    run = made.run()
    while not made.history.megabatches:
        next(run)
    first = parameters(made.model)
    made, _ = opened(config, 2)
    assert not made.network.optimiser.state
    for name, found in parameters(made.model).items():
        kept = made.mask.tensors.get(name, torch.ones_like(found, dtype=torch.bool))
        assert torch.equal(found, first[name] * kept)


def test_from_scratch_is_a_network_that_has_learned_nothing() -> None:
    made, before = opened(trial(training__start="scratch"), 2)
    fresh = parameters(made.network.fresh("start", 2))
    assert not made.network.optimiser.state
    for name, found in parameters(made.model).items():
        kept = made.mask.tensors.get(name, torch.ones_like(found, dtype=torch.bool))
        assert torch.equal(found, fresh[name] * kept)
        assert name.endswith("bias") or not torch.equal(found, before[name])


@pytest.mark.parametrize("granularity", ["weight", "channel"])
@pytest.mark.parametrize("name", STARTS)
def test_masks_are_nested_unless_they_are_begun_anew(name: str, granularity: str) -> None:
    made = learner(
        trial(pruning__granularity=granularity, pruning__schedule="linear", **STARTS[name])
    )
    masks = []
    for record in made.run():
        if isinstance(record, MegabatchRecord):
            masks.append(made.mask)
            if granularity == "weight":
                wanted = num_kept(record.metrics["asked_density"], made.mask.num_weights)
                assert made.mask.num_kept == wanted
    nested = [b.is_nested_in(a) for a, b in itertools.pairwise(masks)]
    assert all(nested) == (STARTS[name] is not RESTART)
    sizes = [mask.num_kept for mask in masks]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def stirred(config: Any) -> AnytimeLearner:
    """Trained by a learner whose network is spoilt whenever it has gone into service."""
    made = learner(config)
    generator = torch.Generator().manual_seed(0)
    for record in made.run():
        if isinstance(record, MegabatchRecord):
            with torch.no_grad():
                for parameter in made.model.parameters():
                    # Zeros stay zeros: the mask is checked.
                    parameter.mul_(torch.rand(parameter.shape, generator=generator))
    return made


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_a_model_from_scratch_with_its_mask_restarted_knows_nothing_of_the_one_before(
    granularity: str,
) -> None:
    pure = trial(pruning__granularity=granularity, pruning__criterion="snip", **RESTART)
    assert numbers(stirred(pure).history) == numbers(trained(pure).history)
    for name in set(STARTS) - {"scratch, restarted"}:
        other = trial(pruning__granularity=granularity, **STARTS[name])
        assert numbers(stirred(other).history) != numbers(trained(other).history)


@pytest.mark.parametrize("schedule", ["app", "one_shot"])
@pytest.mark.parametrize("name", STARTS)
def test_what_is_charged_is_what_goes_forward_and_backward(name: str, schedule: str) -> None:
    config = trial(
        pruning__criterion="snip",
        pruning__schedule=schedule,
        training__epochs=None,
        training__total_samples=900,
        **STARTS[name],
    )
    dataset = load_dataset(dataset_key(config.data))
    passed: list[int] = []

    def count(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        if torch.is_grad_enabled():
            passed.append(len(inputs[0]))

    def build() -> nn.Module:
        network = build_model(config, dataset)
        network.register_forward_hook(count)
        return network

    made = learner(config, build)
    passed.clear()  # FLOPs are counted with one image
    for _ in made.run():
        pass
    metrics = [m.metrics for m in made.history.megabatches]
    assert metrics[-1]["samples_seen"] == sum(passed) == 900
    assert metrics[-1]["train_flops"] == 3 * metrics[-1]["forward_flops"] * 900
    sizes = [len(made._training_plan.examples(k)[0]) for k in range(3)]
    planned = scored_examples(
        config, made.data.megabatches, sizes, num_weights=made.mask.num_weights
    )
    scored = [m["samples_scored"] for m in metrics]
    assert scored == [sum(planned[: k + 1]) for k in range(3)]
    if STARTS[name] is RESTART:
        assert len(set(scored)) == len(scored)


def test_a_complete_network_is_scored_at_the_price_of_a_complete_one() -> None:
    config = trial(
        pruning__granularity="channel", pruning__criterion="snip", pruning__schedule="one_shot",
        training__epochs=None, training__total_flops=12_000_001, **RESTART,
    )  # fmt: skip
    metrics = [m.metrics for m in trained(config).history.megabatches]
    assert abs(metrics[-1]["train_flops"] - 12_000_001) <= 3 * metrics[-1]["forward_flops"]
    dense = 3 * learner(config).network.dense_flops.forward
    for before, after in itertools.pairwise(metrics):
        scored = after["samples_scored"] - before["samples_scored"]
        seen = after["samples_seen"] - before["samples_seen"] - scored
        spent = after["train_flops"] - before["train_flops"]
        assert scored > 0
        assert spent == dense * scored + 3 * after["forward_flops"] * seen


def test_a_trial_that_goes_on_as_the_paper_does_is_the_one_that_it_was() -> None:
    assert trial(training__start="continue").key() == trial().key()
    keys = {trial(**STARTS[name]).key() for name in STARTS}
    assert len(keys | {trial().key()}) == len(STARTS) + 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training__start": "scrtch"}, "did you mean 'scratch'"),
        ({"training__shrink": 0.5}, "training.shrink"),
        ({"training__start": "scratch", "training__mask": "new"}, "training.mask"),
        ({**RESTART, "pruning__reference_compat": True}, "every event is a first one"),
        ({"training__start": "shrink_perturb", "training__shrink": 1.5}, "from 0 to 1"),
        ({"training__start": "shrink_perturb", "training__perturb": -0.1}, "at least 0"),
    ],
)
def test_a_wrong_start_is_refused_with_the_reason(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trial(**settings)
