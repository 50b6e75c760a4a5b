"""Whether any network of a study is better than a guess."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.measure import Measure
from analysis.runs.cache import cached
from analysis.statistics.summary import Interval, wilson_interval
from study.metrics import chance_error

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_NUM_CLASSES = "data.num_classes"
_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class NothingLearned:
    """A study whose networks are all as good as a guess.

    Attributes:
        trial: The one that comes nearest to having learned something.
        metric: The error that it comes nearest by: of the whole stream, or of its last model.
        chance: Error rate of a guess.
        interval: Of that error, at 95 % for all trials together; None where no size is recorded.
    """

    trial: "pd.Series"
    metric: str
    chance: float
    interval: Interval | None


@cached
def nothing_learned(runs: "Runs", measure: Measure) -> NothingLearned | None:
    """The study's nearest to a success if no error is surely below chance; None if one is.

    Also None where the number of classes is not recorded.
    """
    import pandas as pd

    complete = runs.complete
    if _NUM_CLASSES not in complete:
        return None
    chance = pd.to_numeric(complete[_NUM_CLASSES], errors="coerce").map(chance_error)
    below = {
        metric: (chance - complete[metric].astype(float)).dropna()
        for metric in (measure.final, measure.service)
    }
    metric = max(below, key=lambda name: below[name].max() if len(below[name]) else -1.0)
    if below[metric].empty:
        return None
    nearest = complete.index == below[metric].idxmax()
    trial, guess = complete[nearest].iloc[0], float(chance[nearest].iloc[0])
    error = float(trial[metric])
    # The best of many guesses looks better than one: Bonferroni's level for as many as there are.
    confidence = 1 - _LEVEL / len(below[metric])
    n = measure.num_examples
    interval = wilson_interval(error, n, confidence=confidence) if n else None
    if (interval.high if interval else error) < guess:
        return None
    return NothingLearned(trial, metric, guess, interval)
