"""One pruning event: scores, counts, and the mask that they make."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from study.errors import TrialError
from study.pruning.allocation import Allocation, AllocationContext
from study.pruning.gradients import isolated_rng
from study.pruning.mask import Mask, named_weights
from study.pruning.scoring import Criterion, ScoringContext
from study.pruning.top_k import check_rankable, largest

Control = Literal["none", "shuffle_within_layers", "reinitialised_scores"]


@dataclass(frozen=True)
class PruningMethod:
    """How weights are chosen.

    Attributes:
        criterion: What a weight is worth.
        allocation: How many weights a layer keeps.
        control: ``shuffle_within_layers`` keeps the criterion's counts by layer and draws the
            weights among the survivors; ``reinitialised_scores`` scores a newly initialised
            network under the current mask (Frankle et al. 2021, arXiv 2009.08576).
        reference_compat: Prune as the public reference code was measured to: from the second
            event on, scores of fresh weights rank all weights, and the masks are intersected.
            Density then falls below what was asked for.
    """

    criterion: Criterion
    allocation: Allocation
    control: Control = "none"
    reference_compat: bool = False

    def __post_init__(self) -> None:
        if self.control not in get_args(Control):
            raise ValueError(
                f"control must be one of {', '.join(get_args(Control))}, got {self.control!r}"
            )


@dataclass(frozen=True)
class PruningDecision:
    """What an event leaves.

    Attributes:
        mask: Of what is kept.
        intended_density: The density that the allocation meant each layer to have.
        num_rounds: How often weights were scored for it.
    """

    mask: Mask
    intended_density: Mapping[str, float]
    num_rounds: int = 0


def num_kept(density: float, num_weights: int) -> int:
    """K = ⌊d·N + ½⌋, how many of N weights a density d in [0, 1] keeps."""
    return math.floor(density * num_weights + 0.5)


def prune(context: ScoringContext, *, method: PruningMethod, density: float) -> PruningDecision:
    """Choose the weights that stay, exactly K of them and all among those still there.

    Nothing of the context changes but its generator. Where K is the number of weights still
    there, nothing is scored.

    Args:
        context: The network and what to score it on.
        method: How to choose.
        density: d in (0, 1], of all prunable weights.

    Raises:
        TrialError: Scores are not finite or all 0, or more weights are asked for than are left.
        ValueError: The criterion does not apply to the network.
    """
    mask = context.mask
    total = num_kept(density, mask.num_weights)
    if total == mask.num_kept:
        return PruningDecision(mask, mask.layer_densities)
    if method.reference_compat and not mask.is_dense:
        everything = replace(context, mask=Mask.dense(mask.tensors), model=fresh_model(context))
        chosen, num_rounds = _chosen(everything, method, density, everything.model)
        return PruningDecision(chosen & mask, chosen.layer_densities, num_rounds)
    if total > mask.num_kept:
        raise TrialError(
            f"a density of {density:g} means {total} weights, but {mask.num_kept} are left; a "
            "pruning schedule must not rise"
        )
    scored = context
    if method.control == "reinitialised_scores":
        scored = replace(context, model=fresh_model(context))
        mask.apply_(scored.model)
    chosen, num_rounds = _chosen(scored, method, density, context.model)
    return PruningDecision(chosen, chosen.layer_densities, num_rounds)


def num_scored(
    method: PruningMethod,
    *,
    num_weights: int,
    kept_before: int,
    density: float,
    num_saliency: int,
    regrow: float = 0.0,
) -> int:
    """Examples that an event with these counts will score, each forward and backward.

    Rounds that remove nothing score nothing. Regrowth takes one pass over the saliency set.

    Args:
        method: How weights are chosen.
        num_weights: N.
        kept_before: Weights that are there before the event.
        density: d in (0, 1] after it.
        num_saliency: Examples of the saliency set.
        regrow: Fraction of the kept weights that is swapped.
    """
    total = num_kept(density, num_weights)
    rounds = 0
    if total != kept_before:
        kept = num_weights if method.reference_compat else kept_before
        for each in round_densities(kept / num_weights, density, method.criterion.num_rounds):
            rounds += num_kept(each, num_weights) != kept
            kept = num_kept(each, num_weights)
    regrown = num_swapped(regrow, num_kept=total, num_weights=num_weights) > 0
    return rounds * method.criterion.num_scored(num_saliency) + regrown * num_saliency


def num_swapped(regrow: float, *, num_kept: int, num_weights: int) -> int:
    """⌊min(regrow · kept, pruned)⌋, how many weights regrowth swaps."""
    return math.floor(min(regrow * num_kept, num_weights - num_kept))


def fresh_model(context: ScoringContext) -> nn.Module:
    """A newly initialised network, drawn with the context's generator.

    Raises:
        ValueError: The context makes none.
    """
    if context.fresh_model is None:
        raise ValueError(
            "control: scores of a newly initialised network were asked for (reinitialised_scores "
            "or reference_compat), but the scoring context has no fresh_model"
        )
    device = next(iter(context.mask.tensors.values())).device
    with isolated_rng(device, context.generator):
        return context.fresh_model()


def _chosen(
    context: ScoringContext, method: PruningMethod, density: float, weighed: nn.Module
) -> tuple[Mask, int]:
    """The mask of K survivors of ``context.mask``, and in how many rounds they were scored.

    Args:
        context: What is scored.
        method: How to choose.
        density: d after the last round.
        weighed: The network whose weights the allocation sees.
    """
    criterion, mask = method.criterion, context.mask
    is_iterated = criterion.num_rounds > 1
    network = copy.deepcopy(context.model) if is_iterated else context.model
    weights = {n: w.detach() for n, w in named_weights(weighed, mask.tensors).items()}
    num_rounds = 0
    for round_density in round_densities(mask.density, density, criterion.num_rounds):
        total = num_kept(round_density, mask.num_weights)
        if total == mask.num_kept:
            continue
        num_rounds += 1
        if is_iterated:
            mask.apply_(network)
        scores = _ranked(criterion.scores(replace(context, model=network, mask=mask)), mask)
        counts = method.allocation.counts(
            AllocationContext(scores, mask, total, round_density, weights)
        )
        mask = Mask({n: largest(scores[n], kept, counts[n]) for n, kept in mask.tensors.items()})
    if method.control == "shuffle_within_layers":
        mask = _shuffled(mask, context.mask, context.generator)
    return mask, num_rounds


def round_densities(start: float, end: float, num_rounds: int) -> Iterator[float]:
    """Densities that fall geometrically from ``start`` (not among them) to exactly ``end``."""
    for round_number in range(1, num_rounds):
        yield start * (end / start) ** (round_number / num_rounds)
    yield end


def _ranked(scores: Mapping[str, Tensor], mask: Mask) -> dict[str, Tensor]:
    """The scores in a type that ranks exactly, checked on the survivors."""
    check_rankable(scores, mask.tensors, is_first=mask.is_dense)
    # Half precision fits into fp32 without loss, and its ties stay ties.
    return {
        name: score if score.dtype in (torch.float32, torch.float64) else score.float()
        for name, score in scores.items()
    }


def _shuffled(mask: Mask, survivors: Mask, generator: torch.Generator) -> Mask:
    """As many weights of each layer as ``mask`` keeps, drawn from its ``survivors``.

    To permute a layer's scores over its survivors and keep the highest is to permute the mask.
    """
    shuffled = {}
    for name, kept in mask.tensors.items():
        positions = survivors.tensors[name]
        order = torch.randperm(survivors.kept_counts[name], generator=generator)
        tensor = torch.zeros_like(kept)
        tensor[positions] = kept[positions][order.to(kept.device)]
        shuffled[name] = tensor
    return Mask(shuffled)
