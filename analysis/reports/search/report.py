"""What the search learned, and how fast."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.dense_baseline import Measure, measure_of
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.presentation.tables import cell
from analysis.reports.search.figures import moment_figures, progress_figures
from analysis.reports.search.progress import (
    MOMENTS,
    RANDOM_START,
    GroupComparison,
    compare_groups,
    front,
    in_service,
    progress,
)
from analysis.reports.search.savings import stopping_sentence
from analysis.runs import trial_filter
from analysis.runs.frames import KEY
from analysis.wording import label, percent, probability, quantity
from study.comparisons import SIGNIFICANCE
from study.metrics import METRICS
from study.results import Outcome
from study.text import count
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

TITLE = "What did the search learn?"


@REPORTS.register("search")
@dataclass(frozen=True)
class SearchReport(Report):
    """Best so far against trials and compute, stopped trials, sampler against random, fronts."""

    position: ClassVar[int] = 60

    metric: str = field(
        default="",
        metadata={"help": "Metric to follow; by default the first objective that is an error."},
    )

    def build(self, runs: "Runs") -> ReportSection:
        """How the best grew, what ended early, what the sampler was worth, fronts through time."""
        measure = measure_of(runs)
        metric = trial_filter.metric(runs.trials, self.metric, default=_followed(runs, measure))
        parts = runs.parts or (runs,)
        if runs.trials.empty:
            return ReportSection(TITLE, ("The study has no trial yet.",))
        moments = _moments(runs, measure)
        best = [line for part in parts for line in _best_sentences(part, metric)]
        return ReportSection(
            TITLE,
            (
                *best,
                stopping_sentence(runs),
                *(line for part in parts for line in _sampler_sentences(part, metric)),
                *_against_random(parts, metric),
            ),
            figures=(
                *(progress_figures(parts, metric) if _was_searched(runs, parts, metric) else ()),
                *moment_figures(runs, measure),
            ),
            tables=(_endings(runs), *((moments,) if moments.rows else ())),
        )


def _was_searched(runs: "Runs", parts: "tuple[Runs, ...]", metric: str) -> bool:
    """Whether there is a best so far to draw: the order of named trials means nothing."""
    searched = any(part.study.objectives for part in parts)
    return searched and bool(runs.complete[metric].notna().any())


def _followed(runs: "Runs", measure: Measure) -> str:
    """The first objective that is no density: that would be answered by pruning all away."""
    known = [
        name
        for name in runs.study.objectives
        if name in METRICS and name in runs.trials and METRICS[name].quantity != "density"
    ]
    return known[0] if known else measure.service


def _of_study(runs: "Runs", sentence: str) -> str:
    """A sentence on one of several studies opens with its name."""
    several = "study" in runs.trials
    return f"{runs.study.name}: {sentence}" if several else sentence[0].upper() + sentence[1:]


def _best_sentences(runs: "Runs", metric: str) -> list[str]:
    rows = progress(runs, metric)
    measured = rows[rows["value"].notna()]
    if measured.empty:
        return [_of_study(runs, f"no finished trial has a {label(metric)}.")]
    best = measured["best"].iloc[-1]
    first = measured[measured["value"] == best].iloc[0]
    shown = quantity(best, metric)
    share = first["examples"] / rows["examples"].iloc[-1] if rows["examples"].iloc[-1] else 1.0
    searched = (
        "" if runs.study.objectives else " Nothing was searched: the study lists its trials."
    )
    sentence = (
        f"the best {label(metric)} is {shown}, of trial {first['number']:.0f}: found after "
        f"{first['place']:.0f} of {count(len(rows), 'trial')} and {percent(share)} of the "
        f"examples that all of them trained on.{searched}"
    )
    return [_of_study(runs, sentence)]


def _sampler_sentences(runs: "Runs", metric: str) -> list[str]:
    """Where TPE chose, against where it still drew at random."""
    if runs.study.params.get(names.PARAM_SAMPLER) != "tpe":
        return []
    proposed = _proposed(runs)
    finished = proposed[proposed["outcome"] == Outcome.COMPLETE]
    start = proposed.head(RANDOM_START)
    is_random = finished[KEY].isin(list(start[KEY]))
    found = compare_groups(finished[~is_random][metric], finished[is_random][metric], metric)
    what = "later proposals of TPE against its first ten, which are random"
    if found is None:
        return [_of_study(runs, f"too few trials finished to compare {what}.")]
    return [_of_study(runs, f"{what}: {_group_sentence(found, metric)}{_one_of_several(runs)}")]


def _one_of_several(runs: "Runs") -> str:
    if len(runs.study.objectives) < 2:
        return ""
    return " The search had other objectives too, which this does not count."


def _proposed(runs: "Runs") -> "pd.DataFrame":
    """The trials that the sampler proposed, in order: those that the study names come before."""
    return runs.trials.sort_values("number", kind="stable").iloc[_num_points(runs) :]


def _num_points(runs: "Runs") -> int:
    number = runs.study.params.get(names.PARAM_NUM_POINTS, "0")
    return int(number) if number.isdigit() else 0


def _against_random(parts: "tuple[Runs, ...]", metric: str) -> list[str]:
    """Studies with another sampler against those that drew at random."""
    by_sampler = {part: part.study.params.get(names.PARAM_SAMPLER, "unknown") for part in parts}
    blind = [part for part, sampler in by_sampler.items() if sampler == "random"]
    sentences = []
    for part, sampler in by_sampler.items():
        for other in blind:
            if sampler in ("random", "unknown"):
                continue
            a, b = (_proposed(runs) for runs in (part, other))
            a, b = (trials[trials["outcome"] == Outcome.COMPLETE] for trials in (a, b))
            found = compare_groups(a[metric], b[metric], metric)
            what = f"{sampler} ({part.study.name}) against random ({other.study.name})"
            sentences.append(
                f"{what}: {_group_sentence(found, metric)}"
                if found
                else f"{what}: too few trials finished to compare."
            )
    if not sentences and len(parts) == 1 and parts[0].study.objectives:
        sentences.append(
            "For a comparison with random search, name a study with search.sampler: random beside "
            "this one."
        )
    return sentences


def _group_sentence(found: GroupComparison, metric: str) -> str:
    sizes = f"{found.num_a} against {count(found.num_b, 'trial')}, {probability(found.p)}"
    share = (
        f"of two trials, one of each, the first has the better {label(metric)} in "
        f"{percent(found.better)}"
    )
    if found.p >= SIGNIFICANCE:
        return f"not separable: {share} ({sizes})."
    return f"{'better' if found.better > 0.5 else 'worse'}: {share} ({sizes})."


def _endings(runs: "Runs") -> ReportTable:
    trials = runs.trials
    reached = runs.megabatches.groupby(KEY)["stream_fraction"].max()
    total = trials["samples_seen"].sum()
    rows = []
    for outcome, group in trials.groupby("outcome", sort=True):
        examples = group["samples_seen"].sum()
        came = reached.reindex(group[KEY]).fillna(0.0).mean()
        rows.append(
            (
                str(outcome).replace("_", " "),
                len(group),
                cell(came),
                float(examples),
                float(examples / total) if total else None,
            )
        )
    columns = (
        Column("outcome", "ended"),
        Column("trials", "trials", "integer"),
        Column("stream_fraction", "of the stream, on average", "percent"),
        Column("samples_seen", "examples trained on", "integer"),
        Column("share", "of all examples", "percent"),
    )
    return ReportTable("How trials ended", columns, tuple(rows))


def _moments(runs: "Runs", measure: Measure) -> ReportTable:
    columns = (
        Column("moment", "of the stream", "percent"),
        Column("models", "models in service", "integer"),
        Column("on_front", "on the front", "integer"),
        Column("error", "lowest error rate", "percent"),
        Column("error_number", "its trial", "integer"),
        Column("weights", "fewest weights", "number"),
        Column("weights_number", "its trial", "integer"),
        Column("flops", "fewest FLOPs of an image", "number"),
    )
    rows = []
    for moment in MOMENTS:
        models = in_service(runs, measure.curve, moment)
        if models.empty:
            continue
        has_flops = bool(models["forward_flops_sparse"].notna().all())
        judged = ["error", "weights", *(["forward_flops_sparse"] if has_flops else [])]
        best, lightest = _first(models, "error"), _first(models, "weights")
        rows.append(
            (
                moment,
                len(models),
                len(front(models, judged)),
                cell(best["error"]),
                cell(best["number"]),
                cell(lightest["weights"]),
                cell(lightest["number"]),
                cell(models["forward_flops_sparse"].min()),
            )
        )
    return ReportTable("Fronts through time: error, weights, FLOPs", columns, tuple(rows))


def _first(models: "pd.DataFrame", name: str) -> "pd.Series":
    return models.sort_values([name, "number"], kind="stable").iloc[0]
