"""Whole channels: what is pruned is cut off, and the network is smaller from then on."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from study.errors import TrialError
from study.models.shapes import ImageShape, on_meta
from study.pruning.allocation import Allocation
from study.pruning.channels.cutting import cut_
from study.pruning.channels.effective import effective_counts
from study.pruning.channels.graph import channel_groups
from study.pruning.channels.group_scores import GroupScore
from study.pruning.channels.groups import ChannelGroups
from study.pruning.channels.survivors import (
    shuffled_within_sets,
    smallest_density,
    surviving,
)
from study.pruning.granularity.granularity import GRANULARITIES, Granularity, NetworkPruner
from study.pruning.ledger import check_nested
from study.pruning.mask import Mask, named_weights
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import (
    PruningDecision,
    PruningMethod,
    fresh_model,
    num_kept,
    round_densities,
)
from study.pruning.scoring import Criterion, ScoringContext


@GRANULARITIES.register("channel")
@dataclass(frozen=True)
class Channels(Granularity):
    """Whole channels are cut off, in all layers that have them: the network gets smaller.

    What falls with a channel, a *group*, is all that writes it, normalises it and reads it. As
    many groups fall as bring the count of weights nearest to what was asked for.

    Attributes:
        group_score: How the scores of its weights make that of a group: their ``mean``, ``sum``
            or ``norm`` (L2).
    """

    keeps_shapes: ClassVar[bool] = False
    refuses: ClassVar[dict[str, str]] = {
        "pruning.regrow": "a channel that was cut off has no weights left to come back with; "
        "leave it out, or take weight",
        "pruning.reference_compat": "the reference code prunes single weights; leave it out, or "
        "take weight",
        "training.compile": "each network that a pruning event leaves would be compiled anew; "
        "leave it out, or take weight",
    }

    group_score: GroupScore = "mean"

    def check_method(self, criterion: Criterion, allocation: Allocation) -> None:
        """A norm needs scores without sign; an allocation must know which channels fall next."""
        if self.group_score == "norm" and criterion.signed:
            raise ValueError(
                "group_score norm would take a score below 0 for a large one, and the criterion "
                "has such scores; choose mean or sum, or another pruning.criterion"
            )
        if not allocation.orders_sets:
            raise ValueError(
                f"allocation {type(allocation).__name__} counts weights and has no order_of_sets, "
                "by which channels fall; choose another, or pruning.granularity: weight"
            )

    def pruner(
        self, model: nn.Module, image_shape: ImageShape, *, exclude: Sequence[str] = ()
    ) -> NetworkPruner:
        """A network whose operations are all understood."""
        dense = Mask.dense(prunable_parameters(model, exclude=exclude))
        groups = channel_groups(model, image_shape, exclude=exclude)
        return _ChannelPruner(dense, groups, on_meta(model), image_shape, self.group_score)


@dataclass(frozen=True)
class _ChannelPruner(NetworkPruner):
    dense: Mask
    groups: ChannelGroups
    network: nn.Module
    image_shape: ImageShape
    group_score: GroupScore

    @property
    def fewest(self) -> int:
        """With one group in each set."""
        return round(smallest_density(self.groups) * self.dense.num_weights)

    @property
    def fewest_are(self) -> str:
        """With one group in each set."""
        return f"{self.fewest:,} with one channel left wherever channels can fall"

    def decide(
        self,
        context: ScoringContext,
        *,
        method: PruningMethod,
        density: float,
        asked_before: float,
    ) -> PruningDecision:
        """The count nearest to K; nothing where no less is asked for, or no more is left."""
        mask = context.mask
        total = num_kept(density, mask.num_weights)
        num_rounds = 0
        if density < asked_before and max(total, self.fewest) < mask.num_kept:
            kept, num_rounds = self._chosen(context, method, density)
            mask = self.groups.mask(kept).to(next(iter(mask.tensors.values())).device)
        # As if what is missed were missed by all layers in proportion.
        share = total / mask.num_kept
        intended = {name: min(1.0, share * d) for name, d in mask.layer_densities.items()}
        return PruningDecision(mask, intended, num_rounds)

    def _chosen(
        self, context: ScoringContext, method: PruningMethod, density: float
    ) -> tuple[Tensor, int]:
        """The groups that stay, and in how many rounds they were scored."""
        criterion, mask = method.criterion, context.mask
        before = kept = self.groups.kept_in(mask)
        scored = weighed = context.model
        if method.control == "reinitialised_scores":
            scored = fresh_model(context)
            self.prune_(scored, mask)
        if criterion.num_rounds > 1:
            # Both are cut along with the rounds, in one memo, so that one network is copied once.
            scored, weighed = copy.deepcopy((scored, weighed))
        num_rounds = 0
        for round_density in round_densities(mask.density, density, criterion.num_rounds):
            total = num_kept(round_density, mask.num_weights)
            if total >= self.groups.count(kept):
                continue
            num_rounds += 1
            everything = Mask.dense(named_weights(scored, mask.tensors))
            scores = criterion.channel_scores(
                replace(context, model=scored, mask=everything),
                groups=self.groups,
                kept=kept,
                how=self.group_score,
            )
            left = surviving(
                self.groups,
                kept,
                scores,
                num_kept=total,
                allocation=method.allocation,
                weights=named_weights(weighed, mask.tensors),
            )
            if criterion.num_rounds > 1:
                for network in {id(n): n for n in (scored, weighed)}.values():
                    cut_(network, self.groups, kept, left)
            kept = left
        if method.control == "shuffle_within_layers":
            kept = shuffled_within_sets(
                self.groups, kept, before=before, generator=context.generator
            )
        return kept, num_rounds

    def check_mask(
        self, mask: Mask, *, previous: Mask, density: float, nested: bool = True
    ) -> None:
        """Whole channels, nested, and K missed by at most half of the largest that could fall."""
        if nested:
            check_nested(mask, previous=previous)
        try:
            kept, before = self.groups.kept_in(mask), self.groups.kept_in(previous)
        except ValueError as error:
            raise TrialError(str(error)) from error
        if torch.equal(kept, before) or mask.num_kept == self.fewest:
            return
        wanted = num_kept(density, mask.num_weights)
        largest = max(self._loss(before, number) for number in range(self.groups.num_sets))
        if 2 * abs(mask.num_kept - wanted) > largest:
            raise TrialError(
                f"{mask.num_kept} of {mask.num_weights} weights are left, but a density of "
                f"{density:g} means {wanted}, and the largest channel has {largest}: another one "
                f"should have fallen, or not"
            )

    def _loss(self, kept: Tensor, set_number: int) -> int:
        """Weights that are lost when one of the groups of a set falls."""
        members = (kept & (self.groups.sets == set_number)).nonzero().flatten()
        without = kept.clone()
        without[members[:1]] = False
        return self.groups.count(kept) - self.groups.count(without)

    def effective_counts(self, mask: Mask) -> dict[str, int] | None:
        """On the traced graph of the network as it was built."""
        return effective_counts(self.network, mask.tensors, self.image_shape)

    def prune_(
        self,
        model: nn.Module,
        mask: Mask,
        *,
        previous: Mask | None = None,
        optimiser: torch.optim.Optimizer | None = None,
    ) -> None:
        """Cut off what is pruned."""
        before = self.groups.everything() if previous is None else self.groups.kept_in(previous)
        cut_(model, self.groups, before, self.groups.kept_in(mask), optimiser=optimiser)

    def held(self, mask: Mask) -> Mask:  # noqa: ARG002  # whatever is pruned
        """Nothing: what is pruned is not there."""
        return Mask({})

    def check_network(self, model: nn.Module, mask: Mask) -> None:
        """Its weights have the shapes that the channels leave."""
        kept = self.groups.kept_in(mask)
        wrong = []
        for name, weight in named_weights(model, mask.tensors).items():
            slices = self.groups.slices(name, kept)
            sizes = [
                size if left is None else len(left)
                for left, size in zip(slices, self.groups.sizes[name][:2], strict=True)
            ]
            if list(weight.shape[:2]) != sizes:
                wrong.append(f"{name} (is {list(weight.shape[:2])}, should be {sizes})")
        if wrong:
            raise TrialError(f"the network is not what its mask says: {', '.join(wrong)}")
