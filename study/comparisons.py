"""What comparisons of methods rest on, before a study and after it: settings, pairs, and a level.

A comparison is made within pairs of one seed, by an exact test of signs, with Holm's adjustment
over all that are made together.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

# How often something false may be said of any of the comparisons that are made together.
SIGNIFICANCE = 0.05

# Equal in two sides of a comparison: the task, but for where its files lie, and the budget.
TASK_SECTIONS = ("data.", "model.", "stream.")
PLACES_OF_DATA = ("data.root", "data.download", "model.weights")
# Relative: a mini-batch more or less makes no other budget.
EQUAL_BUDGET = 0.01

# What belongs to the method; the rest is the setting that it is tried in.
METHOD_SECTIONS = ("pruning.", "saliency.")
# How much is pruned is no part of the method: it is measured as density.
HOW_MUCH = frozenset({"pruning.final_density", "pruning.tau", "pruning.rate", "pruning.densities"})
# In the method's own name.
NAMED = frozenset({"pruning.schedule", "pruning.reference_compat"})


def matter_to(schedule: str, paths: Iterable[str]) -> bool:
    """Whether any of these settings does anything under the schedule: how to prune, not dense."""
    return any(schedule != "dense" or not path.startswith(METHOD_SECTIONS) for path in paths)


def smallest_p(num_pairs: int) -> float:
    """The smallest two-sided p that so many pairs can give: 2/2ⁿ, all differences one way."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def pairs_needed(num_comparisons: int = 1) -> int:
    """How many pairs it takes for p below 0.05 to be possible, by Holm over the comparisons."""
    return math.floor(1 + math.log2(num_comparisons / SIGNIFICANCE)) + 1


@dataclass(frozen=True)
class Spent:
    """What the training of a trial took, as budgets are compared.

    Under ``training.total_samples`` and ``total_flops`` scoring weights takes its part of the
    budget and counts; under ``training.epochs`` and ``samples_per_model`` it comes on top, and
    does not.

    Attributes:
        examples: Forward and backward through the network.
        flops: True FLOPs of these; NaN where they were not recorded.
    """

    examples: float
    flops: float

    @classmethod
    def of(cls, metrics: Mapping[str, float], *, is_by_epochs: bool) -> "Spent":
        """That of a trial with these metrics at its end."""
        seen = float(metrics.get("samples_seen", math.nan))
        flops = float(metrics.get("train_flops", math.nan))
        scored = float(metrics.get("samples_scored", 0.0))
        if not is_by_epochs or not scored > 0:
            return cls(seen, flops)
        return cls(seen - scored, flops * (seen - scored) / seen)


def equal_in(a: Spent, b: Spent) -> frozenset[str]:
    """In what two trials had an equal budget: ``examples``, ``FLOPs``, both or nothing.

    Two trials may be compared where it is either. Of networks that keep their size it is both; one
    that gets smaller while it learns sees more examples for the same FLOPs.
    """
    both = {"examples": (a.examples, b.examples), "FLOPs": (a.flops, b.flops)}
    return frozenset(
        name for name, (x, y) in both.items() if abs(x - y) <= EQUAL_BUDGET * max(abs(x), abs(y))
    )


def budget_words(equal: Iterable[str]) -> str:
    """What is said of sides that are equal in this: nothing where it is both, as usual."""
    named = sorted(equal)
    return f"equal {named[0]}" if len(named) == 1 else ""


TrialT = TypeVar("TrialT")


@dataclass(frozen=True)
class Side(Generic[TrialT]):
    """A trial as one side of a comparison with dense.

    Attributes:
        trial: In whatever form.
        task: Of settings that must be equal: data, network, stream.
        seed: Its own.
        spent: What its training took.
    """

    trial: TrialT
    task: Hashable
    seed: str
    spent: Spent


def dense_beside(side: Side[TrialT], dense: Iterable[Side[TrialT]]) -> Side[TrialT] | None:
    """The dense trial that another is compared with: of an equal task at an equal budget.

    Its other settings may differ. Of several it is the one with the trial's own seed, and of those
    the first.

    Args:
        side: The other one.
        dense: The hardest to match first.
    """
    same = [d for d in dense if d.task == side.task and equal_in(side.spent, d.spent)]
    return next((d for d in same if d.seed == side.seed), same[0] if same else None)


def weights_asked(asked: float, realised: float, num_weights: float) -> int:
    """How many weights a trial was asked to keep: what makes two densities equal.

    A granularity may miss that by a part of what falls at once. Where it was not recorded, or was
    not what the network was pruned to, the weights that are left stand for it.

    Args:
        asked: Density that the schedule asked for at last; NaN where that does not count.
        realised: Density of the network.
        num_weights: N.
    """
    return math.floor((realised if math.isnan(asked) else asked) * num_weights + 0.5)
