"""What a channel group is worth: the scores of its weights made into one."""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from study.pruning.channels.groups import ChannelGroups

GroupScore = Literal["mean", "sum", "norm"]


def group_scores(
    groups: ChannelGroups, kept: Tensor, scores: Mapping[str, Tensor], how: GroupScore
) -> Tensor:
    """A score for each group that is left, fp64 ``[num_groups]`` on the CPU; 0 for the others.

    A group's weights are those of its rows and of its columns in all layers (a dependency group
    of Fang et al., arXiv 2301.12900), as far as they are left; one whose row and column are of
    the same group counts once. Li et al. (arXiv 1608.08710, section
    3.1) sum the magnitudes of a filter; a mean does not prefer a group for its size.

    Args:
        groups: Of the original network.
        kept: bool ``[num_groups]``: the groups that are left.
        scores: The criterion's, by prunable layer, finite, in the shapes of the network as it is
            now.
        how: ``mean``, ``sum`` or ``norm`` (L2).

    Raises:
        ValueError: A norm of scores of which one is negative.
    """
    if how not in get_args(GroupScore):
        raise ValueError(
            f"pruning.group_score must be one of {', '.join(get_args(GroupScore))}, got {how!r}"
        )
    if how == "norm":
        _check_unsigned(scores)
        return squares_by_group(groups, kept, scores).sqrt()
    total = _sums(groups, kept, scores)
    return total / group_sizes(groups, kept).clamp(min=1) if how == "mean" else total


def squares_by_group(groups: ChannelGroups, kept: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """Σ v² over the weights of each group that is left, fp64 ``[num_groups]`` on the CPU.

    Args:
        groups: Of the original network.
        kept: bool ``[num_groups]``: the groups that are left.
        values: By prunable layer, in the shapes of the network as it is now.
    """
    return _sums(groups, kept, {n: v.detach().double().square() for n, v in values.items()})


def group_sizes(groups: ChannelGroups, kept: Tensor) -> Tensor:
    """How many prunable weights are left of each group, int64 ``[num_groups]``; 0 for the others.

    A weight counts in the group of its row and in that of its column.
    """
    sizes = torch.zeros(groups.num_groups, dtype=torch.int64)
    for name, size in groups.sizes.items():
        rows, columns = ids_left(groups, name, kept)
        by_row, by_column = (slices_by_group(ids, groups) for ids in (rows, columns))
        cells = by_row * len(columns) + by_column * len(rows) - by_row * by_column
        sizes += cells * size[2:].numel()
    return sizes


def ids_left(groups: ChannelGroups, name: str, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The group of each row and of each column of a weight that is left; -1: it never falls."""
    axes, size = groups.axes.get(name), groups.sizes[name]
    sides = (None, None) if axes is None else (axes.rows, axes.columns)
    is_left = torch.cat([kept, kept.new_ones(1)])  # -1 finds the last
    rows, columns = (
        torch.full((length,), -1) if ids is None else ids[is_left[ids]]
        for ids, length in zip(sides, size[:2], strict=True)
    )
    return rows, columns


def slices_by_group(ids: Tensor, groups: ChannelGroups) -> Tensor:
    """How many of ``ids`` are of each group."""
    return torch.bincount(ids[ids >= 0], minlength=groups.num_groups)


def _sums(groups: ChannelGroups, kept: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """The sum of ``values`` over the weights of each group, fp64."""
    sums = torch.zeros(groups.num_groups, dtype=torch.float64)
    for name, size in groups.sizes.items():
        rows, columns = ids_left(groups, name, kept)
        shape = len(rows), len(columns), size[2:].numel()
        cells = values[name].detach().reshape(shape).sum(2, dtype=torch.float64)
        _add(sums, rows, cells.sum(1))
        _add(sums, columns, cells.sum(0))
        if bool(torch.isin(rows[rows >= 0], columns).any()):
            same = (rows[:, None] == columns).to(cells.device)
            _add(sums, rows, -(cells * same).sum(1))
    return sums


def _add(sums: Tensor, ids: Tensor, amounts: Tensor) -> None:
    # Added up on the CPU: on a GPU the order of the summands is not fixed.
    sums.index_add_(0, ids[ids >= 0], amounts.cpu()[ids >= 0])


def _check_unsigned(scores: Mapping[str, Tensor]) -> None:
    for name, score in scores.items():
        num_negative = int((score < 0).sum())
        if num_negative:
            raise ValueError(
                f"pruning.group_score: norm takes a score below 0 for a large one, and in layer "
                f"{name} {num_negative} are; choose mean or sum, or a pruning.criterion without "
                "signs"
            )
