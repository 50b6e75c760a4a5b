"""Regrowth: weights swapped for pruned ones that the loss asks for (Evci et al., 1911.11134)."""

import copy
from dataclasses import replace

from study.pruning.gradients import summed_gradients
from study.pruning.mask import Mask, named_weights
from study.pruning.prune import num_swapped
from study.pruning.scoring import ScoringContext
from study.pruning.top_k import check_rankable, largest_of_all


def regrow(context: ScoringContext, mask: Mask, *, fraction: float) -> Mask:
    """Swap n = ⌊min(fraction · kept, pruned)⌋ weights of ``mask``; the count stays.

    The n kept weights with the smallest |w| go, and the n pruned ones with the largest absolute
    gradient come, over all layers at once: layers may gain what others lose. The gradients are
    those of the network under ``mask``, summed over the saliency mini-batches, of pruned weights
    too. What comes was pruned before, so nothing that goes comes back at once. A weight that
    comes starts at zero.

    Args:
        context: The network and the saliency set; its own mask is not looked at.
        mask: The mask that the pruning event made.
        fraction: Of the kept weights, in [0, 1].

    Raises:
        TrialError: Weights or gradients are not finite.
        ValueError: The fraction is out of range.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"regrow must be between 0 and 1, got {fraction}; 10 % is 0.1")
    swapped = num_swapped(fraction, num_kept=mask.num_kept, num_weights=mask.num_weights)
    if swapped == 0:
        return mask
    network = copy.deepcopy(context.model)
    mask.apply_(network)
    gradients = summed_gradients(replace(context, model=network, mask=mask))
    weights = named_weights(network, mask.tensors)
    pruned = {name: ~kept for name, kept in mask.tensors.items()}
    check_rankable(weights, mask.tensors, is_first=False)
    check_rankable(gradients, pruned, is_first=False)
    stays = largest_of_all(
        {name: weight.detach().abs() for name, weight in weights.items()},
        mask.tensors,
        mask.num_kept - swapped,
    )
    comes = largest_of_all(
        {name: gradient.abs() for name, gradient in gradients.items()}, pruned, swapped
    )
    return stays | comes
