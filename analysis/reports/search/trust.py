"""How far to trust stopping: what a rung knows of the end, and which of the best it would cost."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.presentation.report import Column, ReportTable
from analysis.presentation.tables import cell
from analysis.reports.search.proposals import values_at
from analysis.runs.frames import KEY, T
from analysis.wording import label, percent
from study.metrics import METRICS, RUNNING_FORMS
from study.results import Outcome
from study.savings import rungs
from study.text import count
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# Fewer trials of one T have no order to speak of.
MIN_TRIALS = 5


@dataclass(frozen=True)
class Rung:
    """What the finished trials say of one rung.

    Attributes:
        moment: A fraction of the stream.
        num_trials: Finished trials that had more of their stream before them there, of T with at
            least five of them.
        correlation: Spearman's between there and the end, at equal T: the mean over T, weighted
            by trials.
        num_best: Of these trials, those among the study's best tenth.
        num_lost: Of these, how many are not among the better 1 / reduction of their T there.
    """

    moment: float
    num_trials: int
    correlation: float
    num_best: int
    num_lost: int


def rungs_of(runs: "Runs") -> tuple[tuple[float, ...], float]:
    """The rungs of a search as fractions of the stream, and its reduction; none if unrecorded."""
    params = runs.study.params
    if names.PARAM_FIRST_RUNG not in params or names.PARAM_REDUCTION not in params:
        return (), 1.0
    reduction = float(params[names.PARAM_REDUCTION])
    return rungs(float(params[names.PARAM_FIRST_RUNG]), reduction), reduction


def rung(runs: "Runs", metric: str, moment: float, reduction: float) -> Rung | None:
    """What finished trials say of a rung; None for too few of them.

    Args:
        runs: One study.
        metric: With a running form.
        moment: A fraction of the stream.
        reduction: The better 1 / ``reduction`` of a T would go on.
    """
    complete = runs.complete[runs.complete[KEY].isin(list(runs.candidates[KEY]))]
    complete = complete[complete[metric].notna()]
    cost = complete[metric].astype(float).map(METRICS[metric].cost)
    best = set(cost.sort_values(kind="stable").index[: math.ceil(len(cost) / 10)])
    there = complete[KEY].map(_unfinished_at(runs, RUNNING_FORMS[metric], moment))
    weights, correlations, num_best, num_lost = [], [], 0, 0
    for _, group in there.dropna().map(METRICS[metric].cost).groupby(complete[T].map(str)):
        if len(group) < MIN_TRIALS:
            continue
        weights.append(len(group))
        correlations.append(_rank_correlation(group, cost[group.index]))
        behind = group[group > group.quantile(1 / reduction)]
        num_best += len(best & set(group.index))
        num_lost += len(best & set(behind.index))
    if not weights:
        return None
    mean = sum(w * c for w, c in zip(weights, correlations, strict=True)) / sum(weights)
    return Rung(moment, sum(weights), mean, num_best, num_lost)


def _unfinished_at(runs: "Runs", running: str, moment: float) -> "pd.Series":
    """:func:`values_at`, of trials whose stream does not end there."""
    rows = runs.megabatches
    after = rows[rows["stream_fraction"] >= moment - 1e-9].groupby(KEY)["stream_fraction"].min()
    value = values_at(runs, running, moment)
    return value[value.index.isin(after.index[after < 1 - 1e-9])]


def _rank_correlation(a: "pd.Series", b: "pd.Series") -> float:
    """Spearman's; 0 where one side has no order."""
    if a.nunique() < 2 or b.nunique() < 2:
        return 0.0
    return float(a.rank().corr(b.rank()))


def trust(runs: "Runs", metric: str) -> tuple[list[str], ReportTable]:
    """In a sentence and a table by rung; no sentence and no row where too few finished."""
    moments, reduction = rungs_of(runs)
    found = [
        known
        for moment in moments
        if metric in RUNNING_FORMS and (known := rung(runs, metric, moment, reduction))
    ]
    columns = (
        Column("moment", "of the stream", "percent"),
        Column("trials", "finished trials", "integer"),
        Column("correlation", "rank correlation with the end", "number"),
        Column("best", "of the best tenth", "integer"),
        Column("lost", "of these behind there", "integer"),
    )
    rows = tuple(
        (r.moment, r.num_trials, cell(r.correlation), r.num_best, r.num_lost) for r in found
    )
    table = ReportTable("How far to trust stopping", columns, rows)
    return ([_sentence(runs, found, metric, reduction)] if found else []), table


def _sentence(runs: "Runs", found: list[Rung], metric: str, reduction: float) -> str:
    first = found[0]
    num_stopped = int((runs.trials["outcome"] == Outcome.EARLY_STOPPED).sum())
    flattered = (
        f" How the {count(num_stopped, 'stopped trial')} would have ended is not known, which "
        f"flatters stopping; app-study replay tells on a study recorded without it."
        if num_stopped
        else ""
    )
    return (
        f"How far to trust stopping: at {percent(first.moment)} of the stream the order of "
        f"{count(first.num_trials, 'finished trial')} by {label(metric)}, at equal T, has a rank "
        f"correlation of {first.correlation:.2f} with that at the end; if the better "
        f"{percent(1 / reduction)} had gone on from there, {first.num_lost} of the "
        f"{first.num_best} among the best tenth would have been lost.{flattered}"
    )
