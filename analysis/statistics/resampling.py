"""Interquartile means over seeds, with a bootstrap interval that holds for few of them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.statistics.summary import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RESAMPLES = 2000
_TRIMMED = 0.25  # of the values at each end

Strata = Sequence[Sequence[float]]


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean without the ⌊n/4⌋ lowest and highest of n values; of fewer than four, the mean."""
    # SciPy's trim_mean, without a millisecond's overhead for a handful of seeds.
    cut = int(_TRIMMED * len(values))
    kept = sorted(values)[cut : len(values) - cut]
    return math.fsum(kept) / len(kept)


def stratified_interval(
    strata: Strata, *, confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Bootstrap interval of the interquartile mean of all values, resampled within strata.

    A stratum holds one configuration's seeds. The percentile interval of N values in M strata is
    too narrow for few seeds: resampling shrinks each variance by (n − 1)/n, and a normal quantile
    stands where Student's belongs. Both are put right as in Hesterberg (2015, "What teachers
    should know about the bootstrap", section 5.3): its distances from the estimate are
    multiplied by √(N/(N − M)) · t(N − M)/z. ``benchmarks/coverage.py`` measures what is covered.

    Strata of one value cannot be resampled, so they are taken together as one stratum; one that
    is left alone joins the next.

    Returns:
        None where there are fewer than two values.
    """
    import numpy as np
    from scipy import stats

    groups = _resampleable(strata)
    if not groups:
        return None
    values = np.concatenate(groups)
    estimate = interquartile_mean(values.tolist())
    if np.ptp(values) == 0:  # nothing to draw
        return Interval(estimate, estimate)
    found = stats.bootstrap(
        tuple(groups),
        _pooled,
        confidence_level=confidence,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    freedom = len(values) - len(groups)
    level = 0.5 + confidence / 2
    factor = math.sqrt(len(values) / freedom)
    factor *= float(stats.t.ppf(level, freedom) / stats.norm.ppf(level))
    return Interval(
        estimate - factor * (estimate - float(found.low)),
        estimate + factor * (float(found.high) - estimate),
    )


def _pooled(*samples: "NDArray[np.float64]", axis: int = -1) -> "NDArray[np.float64]":
    """The interquartile mean across strata, for each resample."""
    import numpy as np
    from scipy.stats import trim_mean

    joined = np.concatenate(samples, axis=axis)
    return np.asarray(trim_mean(joined, _TRIMMED, axis=axis), dtype=np.float64)


def _resampleable(strata: Strata) -> "list[NDArray[np.float64]]":
    """The strata, each with at least two values; empty where there are not so many in all."""
    import numpy as np

    several = [np.asarray(stratum, dtype=float) for stratum in strata if len(stratum) > 1]
    single = np.array([stratum[0] for stratum in strata if len(stratum) == 1])
    if len(single) > 1:
        several.append(single)
    elif len(single) and several:
        several[0] = np.concatenate([several[0], single])
    return several
