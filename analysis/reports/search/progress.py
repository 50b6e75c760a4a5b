"""A search as it went: the best so far, what it cost, and the fronts along the stream."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.runs.cache import cached
from analysis.runs.frames import KEY
from study.metrics import METRICS
from study.pareto import undominated
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

MOMENTS = (0.25, 0.5, 0.75, 1.0)


def progress(runs: "Runs", metric: str) -> "pd.DataFrame":
    """One row a trial in the order of proposal.

    Columns: ``number``, ``value`` (of finished trials that keep the constraints), ``best`` (of
    those so far; missing before the first), ``examples`` (through SGD in all trials so far,
    stopped and failed ones included), ``place`` (1 for the first trial).
    """
    import pandas as pd

    trials = runs.trials.sort_values("number", kind="stable")
    winners = (trials["outcome"] == Outcome.COMPLETE) & trials[KEY].isin(
        list(runs.candidates[KEY])
    )
    value = trials[metric].astype(float).where(winners)
    costs = value.map(METRICS[metric].cost)
    return pd.DataFrame(
        {
            "number": trials["number"],
            "place": range(1, len(trials) + 1),
            "value": value,
            "best": costs.cummin().ffill().map(METRICS[metric].cost),
            "examples": trials["samples_seen"].fillna(0.0).cumsum(),
        }
    )


@dataclass(frozen=True)
class GroupComparison:
    """Two groups of trials by one metric.

    Attributes:
        num_a: Trials of the first.
        num_b: Trials of the second.
        better: Probability that one of the first is better than one of the second, ties half.
        p: Of the two-sided Mann-Whitney test.
    """

    num_a: int
    num_b: int
    better: float
    p: float


def compare_groups(a: "pd.Series", b: "pd.Series", metric: str) -> GroupComparison | None:
    """Whether trials ``a`` are better than ``b``; None for fewer than five of either."""
    from scipy.stats import mannwhitneyu

    first, second = a.dropna().astype(float), b.dropna().astype(float)
    if min(len(first), len(second)) < 5:
        return None
    found = mannwhitneyu(first, second, alternative="two-sided")
    larger = float(found.statistic) / (len(first) * len(second))
    better = 1 - larger if METRICS[metric].is_minimized else larger
    return GroupComparison(len(first), len(second), better, float(found.pvalue))


@cached
def in_service(runs: "Runs", error: str, moment: float) -> "pd.DataFrame":
    """The models that finished trials had in service at ``moment``, a fraction of the stream.

    One row a trial: ``error``, ``forward_flops_sparse`` (of one image) and ``weights`` (kept
    ones: their number where the record has it, else their share), ``outcome``, ``number``.
    Trials that had none yet are left out.
    """
    import pandas as pd

    rows = runs.megabatches[runs.megabatches["stream_fraction"] <= moment + 1e-9]
    latest = rows.sort_values([KEY, "stream_fraction"]).drop_duplicates(KEY, keep="last")
    facts = runs.complete[[KEY, "number", "outcome", "title", "method"]].copy()
    facts["num_prunable"] = (
        pd.to_numeric(runs.complete["model.num_prunable"], errors="coerce")
        if "model.num_prunable" in runs.complete
        else 1.0
    )
    made = latest[[KEY, error, "density", "forward_flops_sparse"]].merge(facts, on=KEY)
    made["weights"] = made["density"].astype(float) * made["num_prunable"]
    made = made.rename(columns={error: "error"})
    return made[made["error"].notna() & made["weights"].notna()]


def front(models: "pd.DataFrame", names: list[str]) -> "pd.DataFrame":
    """Those of :func:`in_service` that no other is as good as in all of ``names``."""
    on_front = undominated(models[names].astype(float).itertuples(index=False, name=None))
    return models.loc[on_front].sort_values(names, kind="stable")
