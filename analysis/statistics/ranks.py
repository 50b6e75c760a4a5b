"""Do several judges rank the same things alike? Here: architectures, and configurations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.statistics.summary import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Fewer things than this resample to too few different orders for an interval.
MIN_ITEMS = 8
_RESAMPLES = 2000


def kendalls_w(scores: Sequence[Sequence[float]]) -> float:
    """Kendall's coefficient of concordance, corrected for ties: 1 for one and the same order.

    With m judges whose orders have nothing to do with each other it is 1/m in the mean. For two
    judges it is (ρ + 1)/2, ρ Spearman's rank correlation.

    Args:
        scores: A row a judge, a score for each of at least two things.
    """
    return float(_concordance(*[list(row) for row in scores]))


def concordance_interval(
    scores: Sequence[Sequence[float]], *, confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile bootstrap interval of Kendall's W, the ranked things resampled.

    Returns:
        None for fewer than eight things, and where all judges agree: nothing can be drawn then.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if len(scores[0]) < MIN_ITEMS or kendalls_w(scores) > 1 - 1e-12:
        return None
    found = bootstrap(
        [list(row) for row in scores],
        _concordance,
        paired=True,
        confidence_level=confidence,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def _concordance(*judges: Any, axis: int = -1) -> "NDArray[np.float64]":
    """W for each resample: the variance of the rank sums over the largest that it could be."""
    import numpy as np
    from scipy.stats import rankdata

    scores = np.stack(np.broadcast_arrays(*judges), axis=-2)
    assert axis == -1, "resamples come along the last axis"
    ranks = rankdata(scores, axis=-1)
    num_judges, num_items = ranks.shape[-2:]
    away = ranks - (num_items + 1) / 2
    between = (away.sum(axis=-2) ** 2).sum(axis=-1)
    within = (away**2).sum(axis=(-2, -1))
    # Where every judge finds all things equal, they agree.
    level = within == 0
    return np.asarray(np.where(level, 1.0, between / (num_judges * np.where(level, 1, within))))
