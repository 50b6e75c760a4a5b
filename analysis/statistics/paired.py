"""Is a difference between two methods real? Differences within pairs of one seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.statistics.resampling import Strata, interquartile_mean, stratified_interval

if TYPE_CHECKING:
    from analysis.statistics.summary import Interval

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class PairedDifference:
    """What the differences a − b within pairs say; what takes time is computed when asked for.

    Pairs count as independent of each other, also where two configurations share a seed.

    Attributes:
        strata: The differences, by configuration; at least one.
    """

    strata: tuple[tuple[float, ...], ...]

    @cached_property
    def values(self) -> list[float]:
        """The differences of all pairs."""
        return [value for stratum in self.strata for value in stratum]

    @property
    def num_pairs(self) -> int:
        """Pairs in all."""
        return len(self.values)

    @property
    def num_strata(self) -> int:
        """Configurations that they come from."""
        return len(self.strata)

    @cached_property
    def estimate(self) -> float:
        """Interquartile mean of the differences."""
        return interquartile_mean(self.values)

    @cached_property
    def interval(self) -> "Interval | None":
        """Its stratified bootstrap interval; None for a single pair."""
        return stratified_interval(self.strata)

    @cached_property
    def p(self) -> float:
        """Of the two-sided Wilcoxon signed-rank test."""
        return signed_rank_p(self.values)

    @property
    def lower(self) -> float:
        """The probability that a pair has a lower a: the share that has, ties counting half."""
        below = sum(1.0 if v < 0 else 0.5 if v == 0 else 0.0 for v in self.values)
        return below / self.num_pairs

    @property
    def standardised(self) -> float | None:
        """Mean difference over the standard deviation (d_z); None where there is none."""
        return standardised(self.values)


def paired_difference(strata: Strata) -> PairedDifference:
    """The differences of all pairs, by configuration."""
    return PairedDifference(tuple(tuple(stratum) for stratum in strata))


def signed_rank_p(differences: Sequence[float]) -> float:
    """Two-sided p of the Wilcoxon signed-rank test.

    Exact for up to 13 pairs, and up to 50 where no two differences are alike in size; normal
    approximation beyond (SciPy's ``method="auto"``). Differences of 0 are left out; 1 where
    nothing else is there.
    """
    from scipy.stats import wilcoxon

    # Errors are whole examples over the split's size: rounding makes ties of what is the same.
    moved = [round(value, 12) for value in differences if round(value, 12) != 0]
    return float(wilcoxon(moved).pvalue) if moved else 1.0


def smallest_p(num_pairs: int) -> float:
    """The smallest two-sided p that so many pairs can give: 2/2ⁿ, all differences one way."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def pairs_needed(num_comparisons: int = 1) -> int:
    """How many pairs it takes for p below 0.05 to be possible, by Holm over the comparisons."""
    return math.floor(1 + math.log2(num_comparisons / SIGNIFICANCE)) + 1


def standardised(differences: Sequence[float]) -> float | None:
    """d_z: the mean difference in standard deviations of the differences."""
    n = len(differences)
    if n < 2:
        return None
    mean = math.fsum(differences) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1))
    return mean / deviation if deviation > 0 else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p, in the order given: compare each with 0.05 as if it were alone."""
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted
