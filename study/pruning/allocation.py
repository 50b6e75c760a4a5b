"""Allocations: how many weights each layer keeps, and which set of channels loses one next.

Counts of weights sum to K exactly and never rise.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from study.pruning.channels.group_scores import squares_by_group
from study.pruning.channels.sets import ChannelContext, sets_of_layer
from study.pruning.mask import Mask
from study.pruning.top_k import ranked_counts
from study.registry import Registry


@dataclass(frozen=True)
class AllocationContext:
    """What an allocation may look at. It changes none of it.

    Attributes:
        scores: The criterion's, by layer, fp32 or fp64, finite wherever a weight survives.
        previous: The surviving weights; its tensors have the layers' shapes.
        num_kept: K, how many weights to keep in all, at most as many as survive.
        density: d, the fraction of all prunable weights that K stands for.
        weights: The network's weights by layer.
    """

    scores: Mapping[str, Tensor]
    previous: Mask
    num_kept: int
    density: float
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class Allocation(ABC):
    """Plug-in: kept weights by layer. Fields are its settings under ``pruning.``."""

    @abstractmethod
    def counts(self, context: AllocationContext) -> dict[str, int]:
        """How many weights each layer keeps: K in all, none above its previous count."""

    def order_of_sets(self, context: ChannelContext) -> Tensor:  # noqa: ARG002  # for those that have one
        """In which order sets lose a group: a number for each group, fp64 ``[num_groups]``.

        From the lowest to the highest, each number is a turn of its group's *set*: the set loses
        the lowest scored of its groups that are left. Of equal numbers the later comes first.
        Those of groups that are gone mean nothing. Needed for ``granularity: channel`` alone.

        Raises:
            ValueError: The allocation has no such order.
        """
        raise ValueError(
            f"pruning.allocation: {type(self).__name__} counts the weights of layers, but has no "
            "order_of_sets, by which channels fall; give it one, choose another allocation, or "
            "pruning.granularity: weight"
        )

    @property
    def orders_sets(self) -> bool:
        """Whether it can be used for channels."""
        return type(self).order_of_sets is not Allocation.order_of_sets


ALLOCATIONS: Registry[Allocation] = Registry("allocation")


def apportion(quotas: Sequence[float], caps: Sequence[int], total: int) -> list[int]:
    """Whole numbers in proportion to ``quotas``, none above its cap, that sum to ``total``.

    Largest remainder. What a cap cuts off goes to the others in proportion, until no cap binds.
    Equal remainders go by position.

    Args:
        quotas: Shares of any scale, at least 0; where all that is left is 0, caps are shares.
        caps: Largest number for each, at least 0.
        total: The sum, at most that of ``caps``.

    Raises:
        ValueError: A quota is negative or not finite, or ``total`` is out of reach.
    """
    if not all(0 <= quota < math.inf for quota in quotas):
        raise ValueError(f"quotas must be finite and at least 0, got {list(quotas)}")
    if not 0 <= total <= sum(caps):
        raise ValueError(f"total must be between 0 and {sum(caps)}, what the caps allow: {total}")
    counts = [0] * len(caps)
    free = [index for index, cap in enumerate(caps) if cap > 0]
    while True:
        left = total - sum(counts)
        shares = _shares([quotas[i] for i in free], [caps[i] for i in free], left)
        full = {i for i, share in zip(free, shares, strict=True) if share >= caps[i]}
        if not full:
            break
        for index in full:
            counts[index] = caps[index]
        free = [index for index in free if index not in full]
    for index, share in zip(free, shares, strict=True):
        counts[index] = math.floor(share)
    by_remainder = sorted(
        zip(free, shares, strict=True), key=lambda pair: math.floor(pair[1]) - pair[1]
    )
    for index, _ in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts


def _shares(quotas: list[float], caps: list[int], total: int) -> list[float]:
    """``total`` divided in proportion to ``quotas``, or to ``caps`` where all quotas are 0."""
    # Scaled first: tiny quotas would otherwise divide by a subnormal sum.
    largest = max(quotas, default=0.0)
    scaled = [quota / largest for quota in quotas] if largest > 0 else [float(c) for c in caps]
    whole = math.fsum(scaled)
    return [total * (share / whole) for share in scaled]


def _proportional(context: AllocationContext, quotas: Mapping[str, float]) -> dict[str, int]:
    caps = context.previous.kept_counts
    counts = apportion([quotas[name] for name in caps], list(caps.values()), context.num_kept)
    return dict(zip(caps, counts, strict=True))


@ALLOCATIONS.register("global")
@dataclass(frozen=True)
class Global(Allocation):
    """One ranking over all prunable weights; equal scores go by position."""

    def counts(self, context: AllocationContext) -> dict[str, int]:
        """How many of each layer's survivors are among the K highest scores."""
        return ranked_counts(context.scores, context.previous.tensors, context.num_kept)

    def order_of_sets(self, context: ChannelContext) -> Tensor:
        """By the scores: one ranking of all groups."""
        return context.scores


@ALLOCATIONS.register("uniform")
@dataclass(frozen=True)
class Uniform(Allocation):
    """The same density in each layer; of channels, the same fraction in each set."""

    def counts(self, context: AllocationContext) -> dict[str, int]:
        """In proportion to the layers' sizes."""
        return _proportional(context, context.previous.sizes)

    def order_of_sets(self, context: ChannelContext) -> Tensor:
        """By the fraction that is left of the set, the largest first.

        Each set is within half a group of the fraction, and at least at one.
        """
        return -context.fraction_left


@ALLOCATIONS.register("erk")
@dataclass(frozen=True)
class ErdosRenyiKernel(Allocation):
    """Density in proportion to Σ dims / Π dims (Erdős–Rényi kernel, Evci et al., 1911.11134).

    Small layers stay denser; one that would pass 1 stays as it is and the rest share. Of channels,
    the fraction left of each set: Σ and Π over the layers whose rows or columns it has.
    """

    def counts(self, context: AllocationContext) -> dict[str, int]:
        """In proportion to the sum of each weight's dimensions, (Σ / Π) · Π."""
        return _proportional(
            context, {name: sum(mask.shape) for name, mask in context.previous.tensors.items()}
        )

    def order_of_sets(self, context: ChannelContext) -> Tensor:
        """By the ε at which its set loses a group, the largest first.

        A set has min(1, ε · Σ dims / Π dims) of its groups; a cap binds as long as no ε of the
        set has come.
        """
        groups = context.groups
        sums, products = torch.zeros(2, groups.num_sets, dtype=torch.float64)
        for name, shape in groups.sizes.items():
            reached = sets_of_layer(groups, name)
            sums[reached] += sum(shape)
            products[reached] += math.prod(shape)
        scale: Tensor = (sums / products)[groups.sets]
        return -context.fraction_left / scale


@ALLOCATIONS.register("lamp")
@dataclass(frozen=True)
class Lamp(Allocation):
    """Counts from the survivors' layer-adaptive magnitudes (Lee et al., arXiv 2010.07611).

    The score of a weight is w² / Σ v² over the weights v of its layer that are not smaller; the
    counts are those of the K highest over all layers, whatever the criterion is. Of channels, over
    the groups of a set.
    """

    def counts(self, context: AllocationContext) -> dict[str, int]:
        """How many of each layer's survivors are among the K highest LAMP scores."""
        scores = {
            name: _lamp_scores(context.weights[name].detach()[mask].double().square())
            for name, mask in context.previous.tensors.items()
        }
        everything = {
            name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()
        }
        return ranked_counts(scores, everything, context.num_kept)

    def order_of_sets(self, context: ChannelContext) -> Tensor:
        """By the same scores of the groups left, w² being the sum of squares of a group."""
        groups = context.groups
        squares = squares_by_group(groups, context.kept, context.weights)
        order = torch.zeros_like(squares)
        for number in range(groups.num_sets):
            members = context.kept & (groups.sets == number)
            order[members] = _lamp_scores(squares[members])
        return order


def _lamp_scores(squares: Tensor) -> Tensor:
    """LAMP scores of a vector of squared weights, fp64, largest first; 0 for zeros."""
    squares = squares.sort(descending=True).values
    # The sum over those not smaller, itself included; where it is 0, so is the square.
    return (squares / squares.cumsum(0)).nan_to_num(0.0)
