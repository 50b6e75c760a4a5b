import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from study.errors import TrialError
from study.pruning.allocation import Global, Uniform
from study.pruning.criteria import Magnitude, Random
from study.pruning.flow_criteria import SynFlow
from study.pruning.gradient_criteria import Snip
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod, num_kept, prune
from study.pruning.scoring import Criterion, ScoringContext
from study.pruning.top_k import kth_largest
from tests.helpers.pruning_networks import build, context_of


@dataclass(frozen=True)
class Fixed(Criterion):
    """The same score for every weight, or one that breaks."""

    value: float = 1.0
    dtype: torch.dtype = torch.float32

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        return {
            name: torch.full(mask.shape, self.value, dtype=self.dtype)
            for name, mask in context.mask.tensors.items()
        }


@dataclass(frozen=True)
class Recording(Criterion):
    """Magnitude, with a note of how many weights were left at each round."""

    seen: tuple[list[tuple[int, int]], ...] = ([],)
    rounds: int = 4

    @property
    def num_rounds(self) -> int:
        return self.rounds

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        weights = prunable_parameters(context.model)
        alive = sum(int((weight != 0).sum()) for weight in weights.values())
        self.seen[0].append((context.mask.num_kept, alive))
        return Magnitude().scores(context)


def flat(mask: Mask) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in mask.tensors.values()])


@pytest.mark.parametrize(
    ("density", "num_weights", "expected"),
    [(0.5, 3, 2), (0.366, 1000, 366), (1.0, 7, 7), (0.1, 4, 0)],
)
def test_k_is_d_times_n_rounded_half_up(density: float, num_weights: int, expected: int) -> None:
    assert num_kept(density, num_weights) == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equal_scores_go_by_layer_and_then_by_index(dtype: torch.dtype) -> None:
    context = context_of(build("normalised"))
    method = PruningMethod(Fixed(dtype=dtype), Global())
    mask = prune(context, method=method, density=0.4).mask
    total = num_kept(0.4, mask.num_weights)
    assert torch.equal(flat(mask), torch.arange(mask.num_weights) < total)


def test_the_global_ranking_keeps_what_a_stable_sort_of_all_survivors_puts_first() -> None:
    context = context_of(build("depthwise_and_grouped"))
    first = prune(context, method=PruningMethod(Random(), Global()), density=0.8).mask
    context = replace(context, mask=first)
    scores = torch.cat([s.flatten() for s in Snip().scores(context).values()])
    scores[~flat(first)] = -1.0
    total = num_kept(0.3, first.num_weights)
    expected = torch.zeros_like(flat(first))
    expected[scores.sort(descending=True, stable=True).indices[:total]] = True
    mask = prune(context, method=PruningMethod(Snip(), Global()), density=0.3).mask
    assert torch.equal(flat(mask), expected)


def test_at_the_density_there_is_nothing_is_scored() -> None:
    context = context_of(build("mlp"))
    decision = prune(context, method=PruningMethod(Fixed(value=math.nan), Global()), density=1.0)
    assert decision.mask == context.mask
    assert set(decision.intended_density.values()) == {1.0}


def test_a_density_above_the_masks_fails_the_trial() -> None:
    context = context_of(build("mlp"))
    method = PruningMethod(Magnitude(), Global())
    context = replace(context, mask=prune(context, method=method, density=0.5).mask)
    with pytest.raises(TrialError, match="must not rise"):
        prune(context, method=method, density=0.7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_fail_the_trial_naming_the_layer(value: float) -> None:
    context = context_of(build("mlp"))
    with pytest.raises(TrialError, match=r"layer 1\.weight: 540 of 540 scores are not finite"):
        prune(context, method=PruningMethod(Fixed(value=value), Uniform()), density=0.5)


def test_a_pruned_weights_score_may_be_anything() -> None:
    @dataclass(frozen=True)
    class NanWherePruned(Criterion):
        def scores(self, context: ScoringContext) -> dict[str, Tensor]:
            return {n: torch.where(m, 1.0, math.nan) for n, m in context.mask.tensors.items()}

    context = context_of(build("mlp"))
    method = PruningMethod(NanWherePruned(), Global())
    half = prune(context, method=method, density=0.5).mask
    quarter = prune(replace(context, mask=half), method=method, density=0.25).mask
    assert quarter.num_kept == num_kept(0.25, half.num_weights)
    assert quarter.is_nested_in(half)


def test_rounds_fall_geometrically_and_each_scores_the_network_that_the_last_one_left() -> None:
    model = build("normalised")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    criterion = Recording(seen=([],))
    mask = prune(context_of(model), method=PruningMethod(criterion, Global()), density=0.1).mask
    num_weights = mask.num_weights
    kept = [num_weights, *(num_kept(0.1 ** (r / 4), num_weights) for r in (1, 2, 3))]
    assert criterion.seen[0] == [(count, count) for count in kept]
    assert mask.num_kept == num_kept(0.1, num_weights)
    assert all(torch.equal(before[n], tensor) for n, tensor in model.state_dict().items())


def test_rounds_of_snip_differ_from_one_and_rounds_of_magnitude_would_not() -> None:
    context = context_of(build("normalised"))
    once, often = (
        prune(context, method=PruningMethod(Snip(rounds=rounds), Global()), density=0.1).mask
        for rounds in (1, 10)
    )
    assert once.num_kept == often.num_kept
    assert once != often
    magnitude, iterated = (
        prune(context, method=PruningMethod(criterion, Global()), density=0.1).mask
        for criterion in (Magnitude(), Recording(seen=([],)))
    )
    assert magnitude == iterated


def test_iterated_synflow_cuts_off_no_layer_where_a_single_round_does() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(108, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    )
    once, often = (
        prune(
            context_of(model),
            method=PruningMethod(SynFlow(rounds=rounds), Global()),
            density=0.004,
        ).mask.kept_counts
        for rounds in (1, 100)
    )
    assert min(once.values()) == 0
    assert min(often.values()) > 0


def test_scores_that_are_all_zero_on_an_unpruned_network_fail_the_trial() -> None:
    model = build("mlp")
    with torch.no_grad():
        model[-1].weight.zero_()
    with pytest.raises(TrialError, match="every weight has score 0"):
        prune(context_of(model), method=PruningMethod(Snip(), Global()), density=0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kth_largest_is_that_of_the_sorted_values_ties_included(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    values = torch.randint(20, (101,), generator=generator).to(dtype)
    ranked = values.sort(descending=True).values
    before = values.clone()
    for k in (1, 2, 50, 51, 100, 101):
        found = kth_largest(values, k)
        assert found == ranked[k - 1]
        assert found.dtype == dtype
    assert torch.equal(values, before)
