"""The largest scores, exactly as many as asked for: equal ones go by position.

Position is the order of the layers, then the index within a layer (row-major). Nothing is sorted:
a selection costs time linear in the number of weights.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from study.errors import TrialError
from study.pruning.mask import Mask


def check_rankable(
    scores: Mapping[str, Tensor], candidates: Mapping[str, Tensor], *, is_first: bool
) -> None:
    """Refuse scores that rank nothing.

    Args:
        scores: By layer.
        candidates: Boolean tensors by layer, shaped like the scores: what is ranked.
        is_first: Whether nothing was pruned before.

    Raises:
        TrialError: A candidate's score is not finite, or all scores are 0 the first time.
    """
    for name, candidate in candidates.items():
        num_broken = int((candidate & ~scores[name].isfinite()).sum())
        if num_broken:
            raise TrialError(
                f"layer {name}: {num_broken} of {int(candidate.sum())} scores are not finite; "
                "the training has diverged (lower optimiser.lr) or the criterion overflows on "
                "this network"
            )
    if is_first and not any(bool(score.any()) for score in scores.values()):
        raise TrialError(
            "every weight has score 0, so the criterion cannot rank the weights of this network "
            "as it was initialised (a classifier of zeros passes no gradient on); choose another "
            "pruning.criterion, or magnitude"
        )


def kth_largest(values: Tensor, k: int) -> Tensor:
    """The k-th largest of the vector ``values``, 1 ≤ k ≤ its length, as a 0-d tensor.

    On a CPU by NumPy's partition: torch's ``topk`` there makes a pair of 16 bytes of every value,
    and takes three times as long.
    """
    num_values = values.numel()
    if values.device.type == "cpu":
        place = num_values - k
        return torch.as_tensor(np.partition(values.detach().numpy(), place)[place])
    # Two equal answers; the shorter list is the cheaper one.
    if 2 * k <= num_values:
        return values.topk(k, sorted=False).values.min()
    return values.topk(num_values - k + 1, largest=False, sorted=False).values.max()


def ranked_counts(
    scores: Mapping[str, Tensor], candidates: Mapping[str, Tensor], total: int
) -> dict[str, int]:
    """By layer: how many of its candidates are among the ``total`` largest of all layers.

    Args:
        scores: Finite scores by layer, fp32 or fp64.
        candidates: Boolean tensors by layer, shaped like the scores: what may be chosen.
        total: How many, at most as many as there are candidates.
    """
    values = {name: scores[name][candidate] for name, candidate in candidates.items()}
    if total == 0:
        return dict.fromkeys(values, 0)
    threshold = kth_largest(torch.cat(list(values.values())), total)
    counts = {name: int((value > threshold).sum()) for name, value in values.items()}
    missing = total - sum(counts.values())
    for name, value in values.items():
        extra = min(missing, int((value == threshold).sum()))
        counts[name] += extra
        missing -= extra
    return counts


def largest(scores: Tensor, candidates: Tensor, count: int) -> Tensor:
    """A boolean tensor that is True at the ``count`` candidates with the largest scores.

    Args:
        scores: Finite scores of one layer, fp32 or fp64.
        candidates: What may be chosen, shaped like the scores.
        count: How many; all candidates where there are fewer.
    """
    values = scores[candidates]
    if count >= values.numel():
        return candidates.clone()
    if count == 0:
        return torch.zeros_like(candidates)
    threshold = kth_largest(values, count)
    chosen = (candidates & (scores > threshold)).flatten()
    ties = (candidates & (scores == threshold)).flatten().nonzero().flatten()
    chosen[ties[: count - int(chosen.sum())]] = True
    # Copied, so that a mask has its weight's memory format.
    return torch.empty_like(candidates).copy_(chosen.view(candidates.shape))


def largest_of_all(
    scores: Mapping[str, Tensor], candidates: Mapping[str, Tensor], total: int
) -> Mask:
    """The ``total`` candidates with the largest scores over all layers at once."""
    counts = ranked_counts(scores, candidates, total)
    return Mask(
        {
            name: largest(scores[name], candidate, counts[name])
            for name, candidate in candidates.items()
        }
    )
