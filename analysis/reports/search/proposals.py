"""What was proposed, and what it was worth before any of it was stopped.

Trials that finished are the survivors of stopping, so they say nothing fair of what a sampler
proposed: the later ones had more to survive. All that came to the first rung are compared there.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.runs.frames import KEY
from study.metrics import METRICS, RUNNING_FORMS
from study.results import Outcome
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# By whom trials are named that the sampler did not draw.
GIVEN = (names.PROPOSED_POINT, names.PROPOSED_EARLIER)


def moment_of(parts: "Sequence[Runs]") -> float | None:
    """Where the proposals of some studies can be compared, as a fraction of the stream.

    Returns:
        The earliest first rung of those that stopped trials, 0 (the first megabatch) where one
        has not recorded it; None where nothing was stopped, so that the ends can be compared.
    """
    rungs = [
        float(part.study.params.get(names.PARAM_FIRST_RUNG, 0.0))
        for part in parts
        if (part.trials["outcome"] == Outcome.EARLY_STOPPED).any()
    ]
    return min(rungs) if rungs else None


def proposals(runs: "Runs", metric: str, moment: float | None) -> "pd.DataFrame":
    """What the sampler proposed, in order: ``number``, ``proposed_by``, ``value``.

    Trials that are known to break a constraint are left out, since they end sooner than others.

    Args:
        runs: One study.
        metric: What is compared.
        moment: Where: ``value`` is the metric's running form after the first megabatch that ends
            there or later; at None it is the metric of the trials that finished.
    """
    import pandas as pd

    trials = runs.trials[~runs.trials["proposed_by"].isin(GIVEN)]
    trials = trials[trials[KEY].isin(list(runs.candidates[KEY]))]
    trials = trials[_may_keep(trials, runs)].sort_values("number", kind="stable")
    if moment is None:
        value = trials[metric].where(trials["outcome"] == Outcome.COMPLETE)
    elif metric not in RUNNING_FORMS:
        value = pd.Series(math.nan, index=trials.index)
    else:
        value = trials[KEY].map(values_at(runs, RUNNING_FORMS[metric], moment))
    return trials.assign(value=value.astype(float))[["number", "proposed_by", "value"]]


def values_at(runs: "Runs", running: str, moment: float) -> "pd.Series":
    """Trial → a running metric after its first megabatch that ends at ``moment`` or later."""
    rows = runs.megabatches[runs.megabatches["stream_fraction"] >= moment - 1e-9]
    first = rows.sort_values([KEY, "stream_fraction"]).drop_duplicates(KEY)
    return first.set_index(KEY)[running].astype(float)


def is_marked(proposed: "pd.DataFrame") -> bool:
    """Whether it is recorded which proposals were random."""
    return bool((proposed["proposed_by"] != "").all())


def parted(proposed: "pd.DataFrame") -> "tuple[pd.Series, pd.Series]":
    """The values of those that the sampler chose by what it had learned, and of random ones."""
    is_random = proposed["proposed_by"] == names.PROPOSED_RANDOM
    return proposed.loc[~is_random, "value"], proposed.loc[is_random, "value"]


def _may_keep(trials: "pd.DataFrame", runs: "Runs") -> "pd.Series":
    """Whether a trial's own settings leave it a chance to keep the limits on its density."""
    import pandas as pd

    kept = pd.Series(True, index=trials.index)
    planned = trials.get("pruning.final_density", pd.Series(math.nan, index=trials.index))
    density = pd.to_numeric(planned, errors="coerce")
    for constraint in runs.study.constraints:
        if METRICS[constraint.metric].quantity == "density" and constraint.metric in trials:
            kept &= density.map(constraint.allows) | density.isna()
    return kept
