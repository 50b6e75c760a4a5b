"""What the best of n trials of a random search comes to, with a band that holds for all n at once.

Trials whose settings are drawn independently are draws of one distribution of costs. The median
of the best of n of them is its quantile 1 − 0.5^(1/n), and an exact simultaneous band of the
distribution is one of the curve (Lourie et al. 2024, arXiv 2311.09480; the package ``opda``).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Up to here the tighter bands of Learned-Miller and DeStefano, whose levels opda simulates: beyond
# it takes minutes, and those of Kolmogorov and Smirnov are exact at once.
_MOST_SIMULATED = 64


@dataclass(frozen=True)
class TuningCurve:
    """The best of n = 1 … N trials, as costs.

    Attributes:
        median: Of the best of n.
        low: Lower end of the band.
        high: Upper end.
    """

    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def tuning_curve(
    costs: Sequence[float], *, bounds: tuple[float, float], level: float
) -> TuningCurve:
    """The curve of trials whose settings were drawn independently.

    Args:
        costs: Of each trial within ``bounds``, lower is better; those that failed at the worst.
            Ties make the band no less sure.
        bounds: Least and largest possible cost.
        level: Probability in (0, 1) that the true curve leaves the band for some n.
    """
    import numpy as np
    from opda import nonparametric

    is_simulated = len(costs) <= _MOST_SIMULATED
    with warnings.catch_warnings():
        # With ties the bands hold more often than they say, not less.
        warnings.filterwarnings("ignore", message="Duplicates detected", category=RuntimeWarning)
        lower, point, upper = nonparametric.EmpiricalDistribution.confidence_bands(
            np.asarray(costs, dtype=float),
            1 - level,
            *bounds,
            generator=_generator(),
            method="ld_equal_tailed" if is_simulated else "ks",
            n_jobs=1,
        )
    ns = np.arange(1, len(costs) + 1)
    median, low, high = (
        tuple(float(v) for v in cdf.quantile_tuning_curve(ns, minimize=True))
        for cdf in (point, upper, lower)
    )
    return TuningCurve(median, low, high)


@cache
def _generator() -> "np.random.Generator":
    """One for all, by which opda remembers what it has simulated."""
    import numpy as np

    return np.random.default_rng(0)


def ahead(first: TuningCurve, second: TuningCurve) -> tuple[int, ...]:
    """Those n at which the first curve's band lies below the second's as a whole."""
    pairs = zip(first.high, second.low, strict=True)
    return tuple(n for n, (high, low) in enumerate(pairs, start=1) if high < low)


def most_decidable(num_trials: int, *, level: float) -> int:
    """The largest n at which bands of so many trials could part two curves; 0 for none.

    As they would if every trial of one were better than every trial of the other.
    """
    import numpy as np

    spread = np.linspace(0.4, 0.6, num_trials)
    curve = tuning_curve(spread.tolist(), bounds=(0.0, 1.0), level=level)
    could = zip(curve.low, curve.high, strict=True)
    return max((n for n, (low, high) in enumerate(could, 1) if low > 0 and high < 1), default=0)
