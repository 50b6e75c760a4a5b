"""What a number of examples can decide, whatever the seeds."""

import math

from analysis.statistics.mean_difference import student_quantile

MARGIN = 0.01
LEVEL = 0.05
# On what share of examples two networks are taken to differ before any was trained.
DISAGREEMENT = 0.05


def examples_needed(
    variance: float, *, jump: float = 1.0, margin: float = MARGIN, level: float = LEVEL
) -> int:
    """The fewest examples on which sides of equal error can be called as good.

    Args:
        variance: Of the differences between examples, seeds averaged out.
        jump: See :attr:`MeanDifference.settled_jump`.
        margin: As a fraction of examples.
        level: Of the test.
    """
    # The distance to the bound is below the margin; solved for n.
    quantile = student_quantile(level)
    return math.floor(quantile**2 * (variance + jump * margin) / margin**2) + 1


def decidable_difference(num_examples: int, *, variance: float, level: float = LEVEL) -> float:
    """The smallest margin at which so many examples can call equal sides as good.

    Differences below it stay undecided, however many seeds are run.

    Args:
        num_examples: At least 1.
        variance: Of the differences between examples, seeds averaged out. Of two single networks
            that differ in their outcome on a share p of the examples it is p.
        level: Of the test.
    """
    quantile = student_quantile(level)
    jump = 1 / (1 + num_examples * variance)
    half = quantile**2 * jump / (2 * num_examples)
    return half + math.sqrt(half**2 + quantile**2 * variance / num_examples)
