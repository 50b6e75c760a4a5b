"""Scores of channel groups against a computation one weight at a time."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.errors import TrialError
from study.pruning.channels.group_scores import GroupScore, group_scores, group_sizes
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.criteria import Magnitude, Random
from study.pruning.scoring import Criterion, ScoringContext
from tests.helpers.channel_structures import cut, structures, weights_of
from tests.helpers.pruning_networks import build, context_of

# One residual stream of 3 channels that "block" reads and writes, and a classifier.
COUPLED = ChannelGroups(
    axes={
        "stem.weight": Axes(torch.arange(3), None),
        "block.weight": Axes(torch.arange(3), torch.arange(3)),
        "fc.weight": Axes(None, torch.arange(3)),
    },
    sets=torch.zeros(3, dtype=torch.int64),
    sizes={
        "stem.weight": torch.Size((3, 1)),
        "block.weight": torch.Size((3, 3)),
        "fc.weight": torch.Size((2, 3)),
    },
)
SCORES = {
    "stem.weight": torch.tensor([[1.0], [2.0], [3.0]]),
    "block.weight": torch.tensor([[1.0, 10.0, 20.0], [30.0, 2.0, 40.0], [50.0, 60.0, 3.0]]),
    "fc.weight": torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
}


def test_a_weight_whose_row_and_column_are_of_one_group_counts_once() -> None:
    everything = COUPLED.everything()
    sums = [1 + (1 + 10 + 20) + (30 + 50) + 5, 2 + 72 + 70 + 7, 3 + 113 + 60 + 9]
    assert group_scores(COUPLED, everything, SCORES, "sum").tolist() == sums
    assert group_sizes(COUPLED, everything).tolist() == [1 + 5 + 2] * 3
    means = [total / 8 for total in sums]
    assert group_scores(COUPLED, everything, SCORES, "mean").tolist() == means
    first = (1 + 1 + 100 + 400 + 900 + 2500 + 1 + 16) ** 0.5
    assert float(group_scores(COUPLED, everything, SCORES, "norm")[0]) == pytest.approx(first)


def test_what_has_fallen_is_in_no_score() -> None:
    kept = torch.tensor([True, False, True])
    scores = cut(SCORES, COUPLED, kept)
    assert scores["block.weight"].shape == (2, 2)
    assert group_scores(COUPLED, kept, scores, "sum").tolist() == [1 + 21 + 50 + 5, 0, 3 + 73 + 9]
    assert group_sizes(COUPLED, kept).tolist() == [6, 0, 6]


def naive(groups: ChannelGroups, kept: Tensor, scores: dict[str, Tensor]) -> list[list[float]]:
    """The scores of the weights of each group, found one weight of the original at a time."""
    found: list[list[float]] = [[] for _ in range(groups.num_groups)]
    for name, score in scores.items():
        mask = groups.mask(kept).tensors[name]
        axes = groups.axes.get(name, Axes(None, None))
        for place in itertools.product(*map(range, score.shape)):
            if bool(mask[place]):
                row = -1 if axes.rows is None else int(axes.rows[place[0]])
                column = -1 if axes.columns is None else int(axes.columns[place[1]])
                for group in {row, column} - {-1}:
                    found[group].append(float(score[place]))
    return found


@settings(deadline=None, max_examples=20)
@given(structures(), st.integers(0, 2**31), st.sampled_from([0.6, 1.0]))
def test_scores_are_those_of_the_weights_that_are_left_one_by_one(
    groups: ChannelGroups, seed: int, fraction: float
) -> None:
    scores = {name: weight.abs() for name, weight in weights_of(groups, seed).items()}
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(groups.num_groups, generator=generator) < fraction
    by_group = naive(groups, kept, scores)
    expected: dict[GroupScore, list[float]] = {
        "sum": [sum(own) for own in by_group],
        "mean": [sum(own) / max(len(own), 1) for own in by_group],
        "norm": [sum(score**2 for score in own) ** 0.5 for own in by_group],
    }
    for how, values in expected.items():
        found = group_scores(groups, kept, cut(scores, groups, kept), how)
        torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64))


def test_a_norm_of_signed_scores_is_refused_and_a_mean_is_not() -> None:
    signed = {**SCORES, "fc.weight": -SCORES["fc.weight"]}
    kept = COUPLED.everything()
    with pytest.raises(
        ValueError, match=r"^pruning.group_score: norm .* layer fc.weight 6 .*choose mean or sum"
    ):
        group_scores(COUPLED, kept, signed, "norm")
    assert group_scores(COUPLED, kept, signed, "sum").tolist() == [112 - 5, 144 - 7, 176 - 9]


def test_an_unknown_way_to_score_a_group_is_refused_by_name() -> None:
    how: Any = "median"
    with pytest.raises(ValueError, match=r"^pruning.group_score must be one of mean, sum, norm, "):
        group_scores(COUPLED, COUPLED.everything(), SCORES, how)


# The network "mlp" of the helpers: its two hidden layers may lose channels.
HIDDEN = ChannelGroups(
    axes={
        "1.weight": Axes(torch.arange(5), None),
        "3.weight": Axes(torch.arange(5, 10), torch.arange(5)),
        "5.weight": Axes(None, torch.arange(5, 10)),
    },
    sets=torch.tensor([0] * 5 + [1] * 5),
    sizes={n: p.shape for n, p in build("mlp").named_parameters() if p.dim() > 1},
)


def channel_scores(criterion: Criterion, context: ScoringContext) -> Tensor:
    return criterion.channel_scores(context, groups=HIDDEN, kept=HIDDEN.everything(), how="mean")


def test_a_criterion_scores_channels_by_its_scores_of_their_weights() -> None:
    context = context_of(build("mlp"))
    expected = group_scores(HIDDEN, HIDDEN.everything(), Magnitude().scores(context), "mean")
    assert torch.equal(channel_scores(Magnitude(), context), expected)


def test_random_draws_one_number_a_group_so_that_its_size_says_nothing() -> None:
    first, again, other = (
        channel_scores(Random(), context_of(build("mlp"), seed=seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # Means of some hundred numbers would all lie near one half.
    draws = torch.cat(
        [channel_scores(Random(), context_of(build("mlp"), seed=s)) for s in range(100)]
    )
    assert float(draws.std()) == pytest.approx(12**-0.5, abs=0.02)


@pytest.mark.parametrize(("value", "reason"), [(torch.nan, "not finite"), (0.0, "score 0")])
def test_scores_that_rank_nothing_fail_the_trial_with_the_reason(
    value: float, reason: str
) -> None:
    model = build("mlp")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    with pytest.raises(TrialError, match=reason):
        channel_scores(Magnitude(), context_of(model))


def test_a_network_that_was_pruned_may_have_died() -> None:
    # Zeros everywhere in a later event: everything ties, and position decides.
    kept = torch.tensor([True] * 9 + [False])
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(108, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4),
        torch.nn.Tanh(), torch.nn.Linear(4, 4),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    scores = Magnitude().channel_scores(context_of(model), groups=HIDDEN, kept=kept, how="mean")
    assert scores.tolist() == [0.0] * 10
