"""What the search learned, and how fast."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.measure import Measure, measure_of
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.presentation.tables import cell
from analysis.reports.search.arms import arm_figures, arm_sentences
from analysis.reports.search.figures import moment_figures, progress_figures
from analysis.reports.search.progress import (
    MOMENTS,
    GroupComparison,
    compare_groups,
    front,
    in_service,
    progress,
)
from analysis.reports.search.proposals import is_marked, moment_of, parted, proposals
from analysis.reports.search.savings import stopping_sentence
from analysis.reports.search.trust import trust
from analysis.runs import trial_filter
from analysis.runs.frames import KEY
from analysis.wording import label, percent, probability, quantity
from study.comparisons import SIGNIFICANCE
from study.metrics import METRICS
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
        trusted, rungs = trust(runs, metric) if len(parts) == 1 else ([], None)
        return ReportSection(
            TITLE,
            (
                *best,
                *(line for part in parts for line in arm_sentences(part, metric)),
                stopping_sentence(runs),
                *trusted,
                *(line for part in parts for line in _sampler_sentences(part, metric)),
                *_against_random(parts, metric),
            ),
            figures=(
                *(progress_figures(parts, metric) if _was_searched(runs, parts, metric) else ()),
                *(f for i, part in enumerate(parts) for f in arm_figures(part, metric, index=i)),
                *moment_figures(runs, measure),
            ),
            tables=(
                _endings(runs),
                *((rungs,) if rungs is not None and rungs.rows else ()),
                *((moments,) if moments.rows else ()),
            ),
        )


def _was_searched(runs: "Runs", parts: "tuple[Runs, ...]", metric: str) -> bool:
    """Whether there is a best so far to draw: the order of named trials means nothing."""
    searched = any(part.study.objectives for part in parts)
    return searched and bool(runs.complete[metric].notna().any())


def _followed(runs: "Runs", measure: Measure) -> str:
    """The first objective that would not be answered by pruning all away."""
    known = [
        name
        for name in runs.study.objectives
        if name in METRICS and name in runs.trials and not METRICS[name].is_of_pruning
    ]
    return known[0] if known else measure.service


def _of_study(runs: "Runs", sentence: str) -> str:
    """A sentence on one of several studies opens with its name."""
    is_combined = "study" in runs.trials
    return f"{runs.study.name}: {sentence}" if is_combined else sentence[0].upper() + sentence[1:]


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
    """What the sampler chose by what it had learned, against what it drew at random before."""
    sampler = runs.study.params.get(names.PARAM_SAMPLER, "none")
    if sampler in ("none", "random", "grid"):
        return []
    moment = moment_of((runs,))
    proposed = proposals(runs, metric, moment)
    if not is_marked(proposed):
        return [_of_study(runs, f"which proposals of {sampler} were random is not recorded.")]
    found = compare_groups(*parted(proposed), metric)
    what = f"what {sampler} proposed by what it had learned against what it drew at random"
    if found is None:
        return [_of_study(runs, f"too few trials to compare {what}.")]
    where = f"{_where(moment)}{_one_of_several(runs)}"
    return [_of_study(runs, f"{what}: {_group_sentence(found, metric)}{where}")]


def _where(moment: float | None) -> str:
    if moment is None:
        return ""
    place = f"at {percent(moment)} of the stream" if moment else "after the first megabatch"
    return f" All proposals are compared {place}, before any could be stopped for being behind."


def _one_of_several(runs: "Runs") -> str:
    if len(runs.study.objectives) < 2:
        return ""
    return " The search had other objectives too, which this does not count."


def _against_random(parts: "tuple[Runs, ...]", metric: str) -> list[str]:
    """Studies with another sampler against those that drew at random."""
    by_sampler = {part: part.study.params.get(names.PARAM_SAMPLER, "unknown") for part in parts}
    blind = [part for part, sampler in by_sampler.items() if sampler == "random"]
    sentences = []
    for part, sampler in by_sampler.items():
        for other in blind:
            if sampler in ("random", "unknown"):
                continue
            moment = moment_of((part, other))
            a, b = (proposals(runs, metric, moment) for runs in (part, other))
            what = f"{sampler} ({part.study.name}) against random ({other.study.name})"
            if not (is_marked(a) and is_marked(b)):
                sentences.append(f"{what}: which trials were proposed is not recorded.")
                continue
            found = compare_groups(a["value"], b["value"], metric)
            sentences.append(
                f"{what}: {_group_sentence(found, metric)}{_where(moment)}"
                if found
                else f"{what}: too few trials to compare."
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
        Column("samples_seen", label("samples_seen"), "integer"),
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
