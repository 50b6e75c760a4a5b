"""How much of one side's service another keeps, with its interval."""

from typing import TYPE_CHECKING

from analysis.statistics.mean_difference import mean_difference
from analysis.statistics.summary import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_MOST = 3.0  # times the other's: beyond it nothing is known


def kept_service(
    a: "FloatArray", b: "FloatArray", *, chance_error: float, confidence: float = 0.95
) -> tuple[float, Interval | None]:
    """(e_0 − a) / (e_0 − b): the service that a keeps of b's, that of a guess being none.

    The interval is Fieller's (1954, "Some problems in interval estimation"): of all ratios r at
    which the mean of (e_0 − a) − r·(e_0 − b) may be 0, over seeds and examples.

    Args:
        a: Service losses by example, ``[seeds, n]`` of a configuration or ``[n]`` of one network.
        b: Those of the other, on the same examples under the same seeds.
        chance_error: e_0.
        confidence: Of the interval, in (0, 1).

    Returns:
        NaN where b is no better than a guess; and no interval where it may be none.
    """
    from scipy.optimize import brentq

    ours, theirs = chance_error - a, chance_error - b
    level = (1 - confidence) / 2
    if theirs.mean() <= 0:
        return float("nan"), None
    ratio = float(ours.mean() / theirs.mean())

    def highest(r: float) -> float:
        return mean_difference(ours - r * theirs).upper(level)

    def lowest(r: float) -> float:
        return mean_difference(ours - r * theirs).lower(level)

    ends = ratio - _MOST, ratio + _MOST
    if lowest(ends[0]) <= 0 or highest(ends[1]) >= 0:
        return ratio, None
    return ratio, Interval(
        float(brentq(lowest, ends[0], ratio)), float(brentq(highest, ratio, ends[1]))
    )
