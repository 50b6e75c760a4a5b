"""The mean difference of two sides over seeds and examples, and its bounds.

Seeds and examples are crossed, as readers and cases are in studies of readers, and so is the
variance.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MeanDifference:
    """The mean of differences a − b in an error, and how far from the truth it may be.

    Attributes:
        estimate: In [−1, 1].
        seed_variance: What seeds add to the variance of the estimate, the noise of single pairs
            included; 0 for one network.
        example_variance: What examples add to it; more seeds do not shrink this part.
        degrees_of_freedom: Of Student's t; may be infinite.
        jumps: How lopsided the examples are, downwards and upwards, in (0, 1]: how much of the
            distance to the lower and upper bound single unseen examples may make up for.
        settled_jump: What both would be for equal sides if seeds were unlimited.
        num_examples: n.
        num_discordant: Examples in which the sides differ under at least one seed.
    """

    estimate: float
    seed_variance: float
    example_variance: float
    degrees_of_freedom: float
    jumps: tuple[float, float]
    settled_jump: float
    num_examples: int
    num_discordant: int

    def _distance(self, level: float, jump: float) -> float:
        """From the estimate to its one-sided bound at ``level``; above 0 whatever was seen.

        Score-type: were the truth at the bound U, then examples would be missing that make up
        for U − estimate, each as large as ``jump``, and the variance there is larger by theirs.
        So (U − estimate)² = t²·(variance + (U − estimate)·jump/n). With no discordant example
        among n it is t²/n, as in Wilson's and Tango's intervals, and not 0.
        """
        quantile = student_quantile(level, self.degrees_of_freedom)
        half = quantile**2 * jump / (2 * self.num_examples)
        return half + math.sqrt(half**2 + quantile**2 * self.variance)

    @property
    def variance(self) -> float:
        """Of the estimate."""
        return self.seed_variance + self.example_variance

    def upper(self, level: float) -> float:
        """The one-sided upper bound: the truth is above it in at most ``level`` of studies."""
        return self.estimate + self._distance(level, self.jumps[1])

    def lower(self, level: float) -> float:
        """The one-sided lower bound."""
        return self.estimate - self._distance(level, self.jumps[0])


def no_difference(num_examples: int) -> MeanDifference:
    """Of a network and itself: known to be 0, whatever the examples."""
    return MeanDifference(0.0, 0.0, 0.0, math.inf, (0.0, 0.0), 0.0, num_examples, 0)


def mean_difference(differences: "FloatArray") -> MeanDifference:
    """Of differences a − b ``[seeds, n]`` of a configuration, or ``[n]`` of one network.

    With mean squares of a two-way layout without replication, the variance of the mean of a
    configuration is (MS_seeds + MS_examples − MS_rest) / (S·n): s²_seed/S + s²_example/n, with
    what both contain counted once. No part is below what chance makes of it. Degrees of freedom
    as Hillis (2007, "A comparison of denominator degrees of freedom methods for multiple observer
    ROC analysis") has them for readers and cases.

    Raises:
        ValueError: There are fewer than two examples, or the array has other dimensions.
    """
    if differences.ndim not in (1, 2) or differences.shape[-1] < 2:
        raise ValueError(
            f"differences must be [seeds, n] or [n] with at least 2 examples, got "
            f"{list(differences.shape)}"
        )
    crossed = differences if differences.ndim == 2 else differences[None, :]
    num_seeds, num_examples = crossed.shape
    by_example = crossed.mean(axis=0)
    if num_seeds == 1:
        seeds, freedom = 0.0, float(num_examples - 1)
        examples = float(by_example.var(ddof=1)) / num_examples
    else:
        seeds, examples = _crossed_variances(crossed)
        whole = seeds + examples
        freedom = (num_seeds - 1) * (whole / seeds) ** 2 if seeds > 0 else math.inf
    return MeanDifference(
        estimate=float(by_example.mean()),
        seed_variance=seeds,
        example_variance=examples,
        degrees_of_freedom=freedom,
        jumps=_jumps(by_example),
        settled_jump=_settled_jump(by_example, examples * num_examples**2),
        num_examples=num_examples,
        num_discordant=int((crossed != 0).any(axis=0).sum()),
    )


def _jumps(by_example: "FloatArray") -> tuple[float, float]:
    """Third over second moments, downwards and upwards, with an unseen discordance counted in.

    Its size is that of those seen, weighted by size, and 1 where there is none. Where c examples
    speak against one network and none for it, the jump upwards is 1, and the bound is near the
    exact one; where as many speak for it, it is 1/(1 + 2c).
    """
    size = (1 + float((by_example**2).sum())) / (1 + float(abs(by_example).sum()))
    second = size**2 + float((by_example**2).sum())
    third = float((by_example**3).sum())
    down, up = (size**3 + max(sign * third, 0.0) for sign in (-1, 1))
    return down / second, up / second


def _settled_jump(by_example: "FloatArray", squares: float) -> float:
    """Both jumps of equal sides of which the squares sum up to ``squares`` without noise."""
    size = (1 + squares) / (1 + float(abs(by_example).sum()))
    return min(1.0, size**3 / (size**2 + squares))


def _crossed_variances(crossed: "FloatArray") -> tuple[float, float]:
    """What seeds (with the rest) and what examples add to the variance of the mean."""
    num_seeds, num_examples = crossed.shape
    by_seed, by_example = crossed.mean(axis=1), crossed.mean(axis=0)
    seeds = num_examples * float(by_seed.var(ddof=1))
    examples = num_seeds * float(by_example.var(ddof=1))
    rest = crossed - by_seed[:, None] - by_example[None, :] + crossed.mean()
    noise = float((rest**2).sum()) / ((num_seeds - 1) * (num_examples - 1))
    cells = num_seeds * num_examples
    return max(seeds, noise) / cells, max(examples - noise, 0.0) / cells


def student_quantile(level: float, degrees_of_freedom: float = math.inf) -> float:
    """Student's t that is exceeded with probability ``level``."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees_of_freedom):
        return float(ndtri(1 - level))
    return float(stdtrit(degrees_of_freedom, 1 - level))
