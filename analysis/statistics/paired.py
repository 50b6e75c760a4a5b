"""Is a difference between two methods real? Differences within pairs of one seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.statistics.resampling import Strata, interquartile_mean, stratified_interval

if TYPE_CHECKING:
    from analysis.summary import Interval

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class PairedDifference:
    """What the differences a − b within pairs say.

    Attributes:
        num_pairs: Pairs in all.
        num_strata: Configurations that they come from.
        estimate: Interquartile mean of the differences.
        interval: Its stratified bootstrap interval; None for a single pair.
        p: Of the two-sided Wilcoxon signed-rank test.
        lower: Share of pairs in which a is lower, ties counting half: the probability that a
            pair has a lower a.
        standardised: Mean difference over the standard deviation of the differences (d_z); None
            where they have none.
    """

    num_pairs: int
    num_strata: int
    estimate: float
    interval: "Interval | None"
    p: float
    lower: float
    standardised: float | None


def paired_difference(strata: Strata) -> PairedDifference:
    """The differences of all pairs, by configuration; at least one pair.

    Pairs count as independent of each other, also where two configurations share a seed.
    """
    values = [value for stratum in strata for value in stratum]
    return PairedDifference(
        num_pairs=len(values),
        num_strata=len(strata),
        estimate=interquartile_mean(values),
        interval=stratified_interval(strata),
        p=signed_rank_p(values),
        lower=sum(1.0 if v < 0 else 0.5 if v == 0 else 0.0 for v in values) / len(values),
        standardised=standardised(values),
    )


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
