"""Channels cut off: what a trial costs, counts and says is that of the small network."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from study.config.problems import ConfigError
from study.errors import TrialError
from study.models.flops import layer_flops, model_bytes
from study.pruning.allocation import ALLOCATIONS
from study.pruning.mask import Mask
from study.pruning.prune import num_kept
from study.pruning.schedules import SCHEDULES
from study.results import MegabatchRecord
from study.training.anytime import AnytimeLearner
from study.trial.checks import check_trial
from study.trial.datasets import dataset_key, load_dataset
from study.trial.read_data import load_and_check
from tests.helpers.small_trials import learner, trained, trial

CONVNET: dict[str, Any] = {
    "model__architecture": "convnet",
    "model__hidden_sizes": None,
    "model__width": 6,
    "pruning__granularity": "channel",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "dense": {"pruning__final_density": None},
    "geometric": {"pruning__final_density": None},
    "open_ended": {"pruning__final_density": None, "pruning__half_life": 60},
    "step": {"pruning__final_density": None, "pruning__densities": (0.8, 0.6, 0.4)},
}


def networks_in_service(made: AnytimeLearner) -> Iterator[MegabatchRecord]:
    for record in made.run():
        if isinstance(record, MegabatchRecord):
            yield record


def half_of_largest(made: AnytimeLearner, before: Mask) -> float:
    """Half of the weights that the largest channel of a network under ``before`` takes along."""
    groups = made.network.pruner.groups  # type: ignore[attr-defined]  # of channels
    kept = groups.kept_in(before)
    losses = []
    for number in kept.nonzero().flatten():
        without = kept.clone()
        without[number] = False
        losses.append(groups.count(kept) - groups.count(without))
    return max(losses) / 2


@pytest.mark.parametrize(
    ("criterion", "allocation", "control"),
    [
        *(("magnitude", allocation, "none") for allocation in ALLOCATIONS.names()),
        ("snip", "global", "shuffle_within_layers"),
        ("snip", "lamp", "reinitialised_scores"),
        ("random", "global", "none"),
    ],
)
def test_counts_are_within_half_a_channel_masks_nested_and_no_layer_is_without(
    criterion: str, allocation: str, control: str
) -> None:
    config = trial(
        **CONVNET,
        pruning__criterion=criterion,
        pruning__allocation=allocation,
        pruning__control=control,
        training__epochs=1,
    )
    made, before = learner(config), learner(config).mask
    densities = [0.8, 0.8**3.2, 0.3]
    tau = torch.log(torch.tensor(0.3)) / torch.log(torch.tensor(0.8))
    densities[1] = 0.8 ** float((1 + tau) / 2)
    for record, density in zip(networks_in_service(made), densities, strict=True):
        wanted = num_kept(density, made.mask.num_weights)
        assert abs(made.mask.num_kept - wanted) <= half_of_largest(made, before)
        assert made.mask.is_nested_in(before)
        assert min(made.mask.kept_counts.values()) > 0
        assert sum(made.mask.kept_counts.values()) == sum(
            dict(made.model.named_parameters())[name].numel() for name in made.mask.tensors
        )
        intended = sum(line.intended_density * line.num_weights for line in record.layers)
        assert intended == pytest.approx(wanted, rel=0.02)
        before = made.mask


@pytest.mark.parametrize("schedule", SCHEDULES.names())
def test_every_schedule_prunes_channels(schedule: str) -> None:
    made = trained(trial(**CONVNET | SETTINGS.get(schedule, {}), pruning__schedule=schedule))
    densities = [m.metrics["density"] for m in made.history.megabatches]
    assert densities == sorted(densities, reverse=True)
    assert (densities[-1] < 0.9) == (schedule != "dense")


def test_work_and_memory_are_those_of_the_network_as_it_is() -> None:
    made = learner(trial(**CONVNET))
    dense = layer_flops(made.model, made.data.image_shape)
    num_parameters = sum(p.numel() for p in made.model.parameters())
    for record in networks_in_service(made):
        flops = layer_flops(made.model, made.data.image_shape).forward
        assert record.metrics["forward_flops"] == record.metrics["forward_flops_sparse"] == flops
        size = model_bytes(made.model)
        assert record.metrics["model_bytes"] == record.metrics["sparse_bytes"] == size
        left = sum(p.numel() for p in made.model.parameters())
        assert record.metrics["model_density"] == left / num_parameters
        # The ledger speaks of the original: scaled by density that is what is left, exactly.
        by_layer = {line.layer: line for line in record.layers}
        assert by_layer.keys() == dense.by_parameter.keys()
        assert sum(line.forward_flops * line.density for line in record.layers) == pytest.approx(
            flops
        )
    assert flops < 0.6 * dense.forward


@pytest.mark.parametrize("criterion", ["magnitude", "snip"])
def test_training_is_charged_at_the_size_that_the_network_had_when_it_was_done(
    criterion: str,
) -> None:
    made = learner(trial(**CONVNET, pruning__criterion=criterion))
    charged = 0
    dense = layer_flops(made.model, made.data.image_shape).forward

    def count(network: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        nonlocal charged
        if torch.is_grad_enabled() and inputs[0].device.type != "meta":
            twin = copy.deepcopy(network)
            twin._forward_hooks.clear()
            charged += 3 * layer_flops(twin, made.data.image_shape).forward * len(inputs[0])

    made.model.register_forward_hook(count)  # copies that are scored have it too
    (record, *_) = reversed(list(networks_in_service(made)))
    assert record.metrics["train_flops"] == record.metrics["train_flops_sparse"] == charged
    assert charged < 3 * dense * record.metrics["samples_seen"]


def test_where_no_less_is_asked_for_nothing_is_scored_and_nothing_falls() -> None:
    config = trial(**CONVNET, pruning__schedule="one_shot", pruning__criterion="snip")
    made = trained(config)
    first, *later = made.history.megabatches
    assert first.metrics["samples_scored"] > 0
    for record in later:
        assert record.metrics["samples_scored"] == first.metrics["samples_scored"]
        assert record.metrics["density"] == first.metrics["density"]
        assert record.metrics["mask_overlap"] == 1.0


def test_momentum_of_what_is_left_goes_on_through_a_cut() -> None:
    made = learner(trial(**CONVNET, training__momentum=0.9, training__epochs=1))
    run = made.run()
    for record in run:
        if isinstance(record, MegabatchRecord):
            break
    weights = dict(made.model.named_parameters())
    before = {
        n: made.network.optimiser.state[w]["momentum_buffer"].clone() for n, w in weights.items()
    }
    old = made.mask
    seen: dict[str, Tensor] = {}

    def watch(optimiser: torch.optim.Optimizer, *_: object) -> None:
        if not seen:
            seen.update(
                {n: optimiser.state[w]["momentum_buffer"].clone()
                 for n, w in made.model.named_parameters()}
            )  # fmt: skip

    made.network.optimiser.register_step_pre_hook(watch)
    next(run)
    assert made.mask != old
    groups = made.network.pruner.groups  # type: ignore[attr-defined]  # of channels
    kept, after = groups.kept_in(old), groups.kept_in(made.mask)
    for name, tensor in seen.items():
        expected = before[name]
        for dim, ids in enumerate(groups.slices(name, after)):
            if ids is not None:
                places = torch.isin(groups.slices(name, kept)[dim], ids)
                expected = expected[places] if dim == 0 else expected[:, places]
        assert torch.equal(tensor, expected), name


def test_a_mask_that_is_not_of_whole_channels_or_misses_the_count_fails_the_trial() -> None:
    pruner = learner(trial(**CONVNET)).network.pruner
    groups = pruner.groups  # type: ignore[attr-defined]  # of channels
    dense = pruner.dense
    torn = Mask({n: t.clone() for n, t in dense.tensors.items()})
    next(iter(torn.tensors.values()))[0, 0, 0, 0] = False
    with pytest.raises(TrialError, match="parts of channels"):
        pruner.check_mask(torn, previous=dense, density=0.9)
    kept = groups.everything()
    kept[groups.sets == 0] = False
    kept[0] = True
    few = groups.mask(kept)
    with pytest.raises(TrialError, match=r"a density of 0\.9 means"):
        pruner.check_mask(few, previous=dense, density=0.9)
    with pytest.raises(TrialError, match="revives"):
        pruner.check_mask(dense, previous=few, density=0.9)
    pruner.check_mask(few, previous=dense, density=few.density)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "regrowth": ({"pruning__regrow": 0.1}, "pruning.regrow", "cut off"),
    "compat": ({"pruning__reference_compat": True}, "pruning.reference_compat", "single weights"),
    "compile": ({"training__compile": True}, "training.compile", "compiled anew"),
    "signs": (
        {"pruning__criterion": "grasp", "pruning__group_score": "norm"},
        "pruning.group_score", "below 0",
    ),
    "another score": ({"pruning__group_score": "max"}, "pruning.group_score", "norm"),
    "a score of weights": (
        {"pruning__granularity": "weight", "pruning__group_score": "sum"},
        "pruning.group_score", "channel",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_channels_leave_no_room_for_are_refused_with_the_reason(name: str) -> None:
    changes, path, words = REFUSED[name]
    with pytest.raises(ConfigError) as caught:
        trial(**CONVNET | changes)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in problem.message


def test_a_target_that_cannot_be_reached_is_refused_with_both_numbers() -> None:
    config = trial(**CONVNET, pruning__final_density=0.003)
    dataset = load_dataset(dataset_key(config.data))
    (problem,) = check_trial(config, dataset)
    fewest = learner(config).network.pruner.fewest
    assert problem.path == "pruning.final_density"
    assert "density 0.003" in problem.message
    assert f"{fewest:,} with one channel left" in problem.message
    least = float(problem.message.rpartition(" ")[2])
    assert check_trial(trial(**CONVNET, pruning__final_density=least), dataset) == []


def test_a_network_that_is_not_understood_is_refused_with_the_operation_and_the_remedy() -> None:
    changes = {"model__architecture": "vit_b_16", "model__width": None, "data__image_size": 32}
    with pytest.raises(ConfigError) as caught:
        load_and_check({"it": trial(**CONVNET | changes)})
    (problem,) = caught.value.problems
    assert problem.path == "pruning.granularity"
    assert "granularity: weight" in problem.message


def test_single_weights_are_the_default_and_trials_are_called_what_they_were_called() -> None:
    default, named = trial(), trial(pruning__granularity="weight")
    # As before there was a choice.
    assert default.key() == named.key() == "cc7e333f6bdc"
    assert default.fingerprint() == named.fingerprint() == "143fbdd19aac019e"
    channel = trial(pruning__granularity="channel")
    keys = {channel.key(), trial(pruning__granularity="channel", pruning__group_score="sum").key()}
    assert len({default.key(), *keys}) == 3
