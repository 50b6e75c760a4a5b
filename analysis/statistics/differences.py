"""How two methods differ over configurations, each of which was run with both under some seeds.

The estimate is the mean over configurations of each one's mean difference, so that no
configuration is trimmed away and none counts more for having more seeds. Interval and p are two
readings of one test of that estimate. What the examples add, which all pairs share, is no part of
the differences between pairs and is given beside them.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from analysis.statistics.summary import Interval
from study.comparisons import SIGNIFICANCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_EXACT_PAIRS = 13  # 2¹³ subsets are all looked at
_DRAWS = 2**13 - 1
_PERMUTATIONS = 2000
_ROUNDING = 1e-12


@dataclass(frozen=True)
class MethodDifference:
    """Differences a − b within pairs of one seed, by configuration.

    Attributes:
        strata: One a configuration, none of them empty; at least one.
        example_variance: What the examples add to the variance of the estimate
            (:func:`example_variance`); 0 says it of these examples alone.
        seed: Of the subsets and permutations, where there are too many to look at all.
    """

    strata: tuple[tuple[float, ...], ...]
    example_variance: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.strata or not all(self.strata):
            raise ValueError("there must be a configuration, and a pair in each")
        if self.example_variance < 0:
            raise ValueError(f"a variance is at least 0, got {self.example_variance}")

    @property
    def num_pairs(self) -> int:
        """Pairs in all."""
        return sum(len(stratum) for stratum in self.strata)

    @property
    def means(self) -> tuple[float, ...]:
        """The mean difference of each configuration."""
        return tuple(math.fsum(stratum) / len(stratum) for stratum in self.strata)

    @property
    def estimate(self) -> float:
        """The mean over configurations of their means."""
        return math.fsum(self.means) / len(self.strata)

    @property
    def share_lower(self) -> float:
        """The share of pairs in which a is lower, ties counting half."""
        values = [value for stratum in self.strata for value in stratum]
        return sum(1.0 if v < 0 else 0.5 if v == 0 else 0.0 for v in values) / len(values)

    def negated(self) -> "MethodDifference":
        """The differences b − a."""
        strata = tuple(tuple(-value for value in stratum) for stratum in self.strata)
        return dataclasses.replace(self, strata=strata)

    @property
    def p(self) -> float:
        """That there is no difference: :meth:`p_at` 0."""
        return self.p_at(0.0)

    def p_at(self, value: float) -> float:
        """Two-sided p that the difference is ``value``, of a sign-flip test, examples counted in.

        The test is exact for up to 13 pairs; else of a sample of flips, itself among them. Its
        normal deviate shrinks as the examples add to the variance.
        """
        typical = self._typical_values - value
        # A pair that does not differ weighs on neither side; rounding must not decide it.
        below, above = (typical <= _ROUNDING).sum(), (typical >= -_ROUNDING).sum()
        of_pairs = float(min(1.0, 2 * (1 + min(below, above)) / (len(typical) + 1)))
        if self.example_variance == 0 or of_pairs == 1:
            return of_pairs
        normal = NormalDist()
        deviate = normal.inv_cdf(1 - of_pairs / 2)
        away = abs(self.estimate - value)
        whole = (away / deviate) ** 2 + self.example_variance
        return 2 * normal.cdf(-away / math.sqrt(whole))

    def interval(self, confidence: float = 1 - SIGNIFICANCE) -> Interval | None:
        """The values that the sign-flip test does not reject, wider by what the examples add.

        Hartigan (1969, "Using subsample values as typical values"): means of random subsets of
        the pairs divide the line into parts that hold the truth equally often.

        Returns:
            None where so few pairs bound nothing, or do not vary: no interval is without width.
        """
        import numpy as np

        typical = np.sort(self._typical_values)
        rank = math.floor((1 - confidence) / 2 * (len(typical) + 1) + 1e-9)
        if rank < 1:
            return None
        low, high = float(typical[rank - 1]), float(typical[-rank])
        if high - low <= _ROUNDING:
            return None
        examples = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(self.example_variance)
        return Interval(
            self.estimate - math.hypot(self.estimate - low, examples),
            self.estimate + math.hypot(high - self.estimate, examples),
        )

    @cached_property
    def interaction_p(self) -> float | None:
        """Whether the difference depends on the configuration: p of a permutation test.

        Pairs change places between configurations; the statistic is the weighted variance of the
        configurations' means. None with one configuration, or one pair in each.
        """
        import numpy as np

        sizes = [len(stratum) for stratum in self.strata]
        if len(sizes) < 2 or max(sizes) < 2:
            return None
        values = np.concatenate([np.asarray(stratum) for stratum in self.strata])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        generator = np.random.default_rng(self.seed)

        def between(orders: "FloatArray") -> "FloatArray":
            sums: FloatArray = np.add.reduceat(orders, starts, axis=-1)
            found: FloatArray = (sums**2 / np.asarray(sizes)).sum(axis=-1)
            return found

        drawn = generator.permuted(np.tile(values, (_PERMUTATIONS, 1)), axis=1)
        seen = between(values)
        hits = int((between(drawn) >= seen - _ROUNDING * max(1.0, abs(float(seen)))).sum())
        return (1 + hits) / (1 + _PERMUTATIONS)

    @cached_property
    def crossing_p(self) -> float | None:
        """Whether a is lower in some configurations and higher in others: p of a test of that.

        Gail and Simon (1985, "Testing for qualitative interactions between treatment effects and
        patient subsets"), with the variance within configurations taken as one. None with one
        configuration, or one pair in each.
        """
        from scipy.stats import binom, f

        freedom = self.num_pairs - len(self.strata)
        if len(self.strata) < 2 or freedom < 1:
            return None
        within = math.fsum(
            (value - mean) ** 2
            for stratum, mean in zip(self.strata, self.means, strict=True)
            for value in stratum
        )
        sizes = [len(stratum) for stratum in self.strata]
        sums = [0.0, 0.0]
        for mean, size in zip(self.means, sizes, strict=True):
            sums[mean > 0] += size * mean**2
        if within <= _ROUNDING:
            return 0.0 if min(sums) > _ROUNDING else 1.0
        least = min(sums) / (within / freedom)
        number = range(1, len(sizes))
        return float(
            sum(binom.pmf(h, len(sizes) - 1, 0.5) * f.sf(least / h, h, freedom) for h in number)
        )

    @property
    def differs_in_sign(self) -> bool:
        """Whether a is truly lower in some configurations and higher in others."""
        return self.crossing_p is not None and self.crossing_p < SIGNIFICANCE

    @cached_property
    def _typical_values(self) -> "FloatArray":
        """The estimate over each non-empty subset of the pairs, or over a sample of them."""
        import numpy as np

        values = np.concatenate([np.asarray(stratum) for stratum in self.strata])
        weights = np.concatenate([np.full(len(s), 1 / len(s)) for s in self.strata])
        chosen = _subsets(len(values), self.seed)
        typical: FloatArray = (chosen @ (weights * values)) / (chosen @ weights)
        return typical


@lru_cache(maxsize=16)
def _subsets(num: int, seed: int) -> "FloatArray":
    """Rows of 0 and 1: every non-empty subset of ``num`` pairs, or a sample of them."""
    import numpy as np

    if num <= _EXACT_PAIRS:
        numbers = np.arange(1, 2**num)
        return ((numbers[:, None] >> np.arange(num)) & 1).astype(float)
    drawn = np.random.default_rng(seed).integers(0, 2, size=(_DRAWS, num))
    return drawn[drawn.any(axis=1)].astype(float)


def example_variance(strata: "Sequence[FloatArray]") -> float:
    """What the examples add to the variance of the estimate, more pairs or not.

    The variance over examples of the differences averaged as the estimate is, without what the
    noise of single pairs makes of it; of configurations with one pair that cannot be separated
    and stays in.

    Args:
        strata: Differences by example of each configuration, ``[pairs, n]``; n is at least 2.
    """
    import numpy as np

    averaged = np.mean([stratum.mean(axis=0) for stratum in strata], axis=0)
    noise = 0.0
    for stratum in strata:
        if len(stratum) > 1:
            centred = stratum - stratum.mean(axis=1, keepdims=True)
            noise += float(centred.var(axis=0, ddof=1).mean()) / len(stratum)
    variance = float(averaged.var(ddof=1)) - noise / len(strata) ** 2
    return max(variance, 0.0) / len(averaged)
