"""Which channel groups stay, on networks small enough to count by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from study.pruning.allocation import (
    Allocation,
    AllocationContext,
    ErdosRenyiKernel,
    Global,
    Lamp,
    Uniform,
)
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.channels.sets import ChannelContext
from study.pruning.channels.survivors import shuffled_within_sets, smallest_density, surviving


def chain(*widths: int) -> ChannelGroups:
    """Linear layers: 2 inputs, hidden layers of these widths, 3 logits; a set a hidden layer."""
    ids = torch.arange(sum(widths)).split(list(widths))
    sides = [None, *ids, None]
    lengths = [2, *widths, 3]
    names = [f"{index}.weight" for index in range(len(widths) + 1)]
    return ChannelGroups(
        axes={n: Axes(sides[i + 1], sides[i]) for i, n in enumerate(names)},
        sets=torch.arange(len(widths)).repeat_interleave(torch.tensor(widths)),
        sizes={n: torch.Size((lengths[i + 1], lengths[i])) for i, n in enumerate(names)},
    )


def stay(
    groups: ChannelGroups,
    scores: Sequence[float],
    num_kept: int,
    allocation: Allocation,
    *,
    kept: Tensor | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> list[int]:
    """Numbers of the groups that stay."""
    found = surviving(
        groups,
        groups.everything() if kept is None else kept,
        torch.tensor(scores, dtype=torch.float64),
        num_kept=num_kept,
        allocation=allocation,
        weights=weights or {},
    )
    return found.nonzero().flatten().tolist()


def test_sizes_are_counted_anew_after_each_fall() -> None:
    # 2·4 + 4·4 + 4·3 = 36; a group of either layer is 6 or 7 weights, and 1 less for each that
    # fell in the other layer.
    groups = chain(4, 4)
    scores = [1, 5, 6, 7, 2, 8, 9, 10]
    counts = [36, 30, 2 * 3 + 3 * 3 + 3 * 3]
    for fallen, count in enumerate(counts):
        kept = stay(groups, scores, count, Global())
        assert kept == [g for g in range(8) if g not in [0, 4][:fallen]]


@pytest.mark.parametrize(
    ("num_kept", "num_left"), [(36, 4), (34, 4), (33, 4), (32, 3), (30, 3), (27, 3), (26, 2)]
)
def test_of_two_counts_equally_near_the_larger_network_stays(num_kept: int, num_left: int) -> None:
    # 5, 10, 15, 20 weights, and a second layer that does not fall: 16 more.
    groups = ChannelGroups(
        axes={"0.weight": Axes(torch.arange(4), None)},
        sets=torch.zeros(4, dtype=torch.int64),
        sizes={"0.weight": torch.Size((4, 6)), "1.weight": torch.Size((3, 4))},
    )
    assert groups.count(groups.everything()) == 36
    assert len(stay(groups, [1, 2, 3, 4], num_kept, Global())) == num_left


def test_equal_scores_go_by_position_as_those_of_weights_do() -> None:
    assert stay(chain(4), [1, 1, 1, 1], 10, Global()) == [0, 1]
    assert stay(chain(3, 3), [1] * 6, 2 * 3 + 3 * 2 + 2 * 3, Global()) == [0, 1, 2, 3, 4]


def test_nothing_falls_where_no_more_than_k_weights_are_left() -> None:
    kept = torch.tensor([True, False, True, False])
    for num_kept in (10, 11, 20):
        assert stay(chain(4), [1, 1, 1, 1], num_kept, Global(), kept=kept) == [0, 2]


def test_the_last_group_of_a_set_stays_whatever_its_score() -> None:
    assert stay(chain(2, 3), [-5, -9, 1, 2, 3], 0, Global()) == [0, 4]
    assert smallest_density(chain(2, 3)) == (2 + 1 + 3) / (4 + 6 + 9)


def test_uniform_counts_fractions_from_what_a_set_had_at_first() -> None:
    groups = chain(4, 8)
    # The first set lost 2 of 4 in an event before: at a half, the second loses 4 of 8 first.
    kept = groups.everything()
    kept[:2] = False
    scores = [0.0] * 4 + list(range(8))
    for_half = groups.count(torch.tensor([False] * 2 + [True] * 2 + [False] * 4 + [True] * 4))
    assert stay(groups, scores, for_half, Uniform(), kept=kept) == [2, 3, 8, 9, 10, 11]


def test_erk_keeps_sets_with_few_weights_for_their_dimensions_whole() -> None:
    # Hidden layers of 4 and of 40: Σ / Π over the two layers that each has.
    groups = chain(4, 40)
    small = (2 + 4 + 4 + 40) / (8 + 160)
    large = (4 + 40 + 40 + 3) / (160 + 120)
    context = ChannelContext(torch.zeros(44), groups.everything(), groups, {})
    scale = -ErdosRenyiKernel().order_of_sets(context)
    first = scale[:4].sort(descending=True).values
    expected = torch.tensor([3.5, 2.5, 1.5, 0.5], dtype=torch.float64) / 4 / small
    torch.testing.assert_close(first, expected)
    assert float(scale[4:].max()) == pytest.approx(39.5 / 40 / large)
    # The first of three has a scale of 0.30, the others of 0.07.
    deep = chain(4, 40, 40)
    erk, uniform = (
        stay(deep, [float(g) for g in range(84)], 700, allocation)
        for allocation in (ErdosRenyiKernel(), Uniform())
    )
    assert erk[:4] == [0, 1, 2, 3]
    assert uniform[:3] == [2, 3, 20], "of the others 20 to 43, 6 in 10 of each set"


def test_lamp_takes_the_sums_of_squares_of_groups_within_their_set() -> None:
    groups = chain(3, 2)
    weights = {
        "0.weight": torch.tensor([[1.0, 0], [2, 0], [3, 0]]),
        "1.weight": torch.zeros(2, 3),
        "2.weight": torch.tensor([[1.0, 2], [0, 0], [0, 0]]),
    }
    context = ChannelContext(torch.zeros(5), groups.everything(), groups, weights)
    order = Lamp().order_of_sets(context)
    # 1, 4, 9 and 1, 4.
    assert sorted(order[:3].tolist()) == pytest.approx([1 / 14, 4 / 13, 1])
    assert sorted(order[3:].tolist()) == pytest.approx([1 / 5, 1])
    # Turns: set 0, set 1, set 0; which group falls is the criterion's.
    scores = [9.0, 1.0, 5.0, 7.0, 8.0]
    sizes = [2 * 2 + 2 * 2 + 6, 2 * 2 + 2 * 1 + 3, 2 + 1 + 3]
    left = [[0, 2, 3, 4], [0, 2, 4], [0, 4]]
    for size, expected in zip(sizes, left, strict=True):
        assert stay(groups, scores, size, Lamp(), weights=weights) == expected


def test_lamp_takes_sets_of_zeros() -> None:
    groups = chain(3, 2)
    weights = {name: torch.zeros(size) for name, size in groups.sizes.items()}
    assert stay(groups, [1, 2, 3, 4, 5], 0, Lamp(), weights=weights) == [2, 4]


@dataclass(frozen=True)
class Counting(Allocation):
    """Counts weights alone."""

    def counts(self, context: AllocationContext) -> dict[str, int]:
        """All there are."""
        return context.previous.kept_counts


def test_an_allocation_without_an_order_of_sets_is_refused_with_the_reason() -> None:
    assert not Counting().orders_sets
    with pytest.raises(
        ValueError, match=r"pruning.allocation: Counting .*order_of_sets.*granularity: weight"
    ):
        stay(chain(3), [1, 2, 3], 5, Counting())


def test_a_shuffled_survivor_is_kept_as_often_as_any_other_of_its_set() -> None:
    groups = chain(4, 6)
    before = groups.everything()
    before[[0, 4]] = False
    kept = before.clone()
    kept[[1, 2, 5, 6]] = False
    counts = torch.zeros(10)
    for seed in range(400):
        generator = torch.Generator().manual_seed(seed)
        counts += shuffled_within_sets(groups, kept, before=before, generator=generator)
    assert counts[[0, 4]].tolist() == [0, 0]
    # Binomial(400, 1/3) and (400, 3/5) have standard deviations below 10.
    assert float((counts[1:4] - 400 / 3).abs().max()) < 45
    assert float((counts[5:] - 240).abs().max()) < 45
