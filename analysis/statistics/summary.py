"""Pure statistics over trials: intervals, Pareto front, best under a constraint, replicates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study import metrics
from study.comparisons import PLACES_OF_DATA
from study.constraints import Constraint
from study.metrics import METRICS
from study.pareto import undominated
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

# What replicates of one configuration differ in.
SEEDS = ("seed", "data.seed")

# Where the data lies, and how many weights may be pruned, do not make a comparison unfair.
UNCOMPARED = (*PLACES_OF_DATA, "model.num_prunable", "model.num_parameters")


@dataclass(frozen=True)
class Interval:
    """A closed interval of numbers."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson_interval(rate: float, n: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval: see :func:`study.metrics.wilson_interval`."""
    return Interval(*metrics.wilson_interval(rate, n, confidence=confidence))


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval | None:
    """Student's t interval of the mean over seeds.

    Returns:
        None for fewer than two values, and where all are alike: no interval is without width.
    """
    from scipy.stats import t

    n = len(values)
    if n < 2 or max(values) == min(values):
        return None
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(t.ppf(0.5 + confidence / 2, n - 1)) * deviation / math.sqrt(n)
    return Interval(mean - half, mean + half)


def pareto_front(trials: "pd.DataFrame", names: Sequence[str]) -> "pd.Series":
    """Whether each trial is on the front of some metrics; equal trials are on it together.

    Only complete trials that have all of the metrics are: stopped and failed ones neither win nor
    dominate.
    """
    import pandas as pd

    eligible = (trials["outcome"] == Outcome.COMPLETE) & trials[names].notna().all(axis=1)
    costs = [trials.loc[eligible, name].astype(float).map(METRICS[name].cost) for name in names]
    on_front = undominated(zip(*costs, strict=True))
    made = pd.Series(on_front, index=trials.index[eligible], dtype=bool)
    return made.reindex(trials.index, fill_value=False)


def within(trials: "pd.DataFrame", constraints: Sequence[Constraint]) -> "pd.DataFrame":
    """The trials without those complete ones that break a constraint."""
    kept = trials["outcome"] != Outcome.COMPLETE
    met = ~kept
    for constraint in constraints:
        met &= trials[constraint.metric].map(constraint.allows)
    return trials[kept | met]


def best(
    trials: "pd.DataFrame", metric: str, *, at_most: Mapping[str, float] | None = None
) -> "pd.Series | None":
    """The complete trial with the best ``metric`` that stays within every limit of ``at_most``.

    The earliest of equals; None where no trial qualifies.
    """
    eligible = (trials["outcome"] == Outcome.COMPLETE) & trials[metric].notna()
    for name, limit in (at_most or {}).items():
        eligible &= trials[name] <= limit
    ranked = trials[eligible].sort_values(
        [metric, "number"], ascending=[METRICS[metric].is_minimized, True], kind="stable"
    )
    return None if ranked.empty else ranked.iloc[0]


def params_of(trials: "pd.DataFrame") -> list[str]:
    """The columns that hold params, by their dotted names (and ``seed``)."""
    return [name for name in trials.columns if "." in name or name == "seed"]


def seed_keys(trials: "pd.DataFrame") -> "pd.Series":
    """The seeds of each trial in one text: two trials of the same seeds are a pair."""
    import pandas as pd

    seeds = [trials[name].map(str) for name in SEEDS if name in trials]
    return pd.Series(map("|".join, zip(*seeds, strict=True)), index=trials.index, dtype=object)


def varying(trials: "pd.DataFrame") -> list[str]:
    """The params in which the trials differ, seeds apart."""
    return [
        name
        for name in params_of(trials)
        if name not in SEEDS and trials[name].map(str).nunique() > 1
    ]


def configurations(trials: "pd.DataFrame", *, excluding: Sequence[str] = ()) -> "pd.Series":
    """A number for each trial's configuration: replicates, which differ in seeds alone, share it.

    Configurations are numbered from 0 by their first trial.

    Args:
        trials: One row a trial.
        excluding: Params that may differ too, by their names or, ending in a dot, their section.
    """
    import pandas as pd

    loose = tuple(name for name in excluding if name.endswith("."))
    settings = [
        name
        for name in ("method", "architecture", "dataset", *params_of(trials))
        if name not in (*SEEDS, *UNCOMPARED, *excluding) and not name.startswith(loose)
    ]
    if trials.empty or not settings:
        return pd.Series(range(len(trials)), index=trials.index, dtype="int64")
    text = trials[settings].map(str)
    return text.groupby(settings, sort=False).ngroup()
