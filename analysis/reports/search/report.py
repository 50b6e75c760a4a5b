"""What the search learned, and how fast."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.measure import Measure, measure_of
from analysis.figures.figure import Figure
from analysis.presentation.no_choice import no_choice_sentence
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.reports.search.arms import arm_figures, arm_sentences
from analysis.reports.search.figures import moment_figures, progress_figures
from analysis.reports.search.progress import GroupComparison, compare_groups, progress
from analysis.reports.search.proposals import is_marked, moment_of, parted, proposals
from analysis.reports.search.savings import stopping_sentence
from analysis.reports.search.tables import endings_table, moments_table
from analysis.reports.search.trust import trust
from analysis.runs import trial_filter
from analysis.wording import label, percent, probability, quantity
from study.comparisons import SIGNIFICANCE
from study.metrics import METRICS
from study.text import count
from study.tracking import names

if TYPE_CHECKING:
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
        may_select = measure.may_select and not METRICS[metric].is_test
        moments = moments_table(runs, measure) if may_select else None
        trusted, rungs = trust(runs, metric) if len(parts) == 1 else ([], None)
        return ReportSection(
            TITLE,
            (
                *(_found(parts, metric) if may_select else [no_choice_sentence(runs)]),
                stopping_sentence(runs),
                *trusted,
                *(line for part in parts for line in _sampler_sentences(part, metric)),
                *_against_random(parts, metric),
            ),
            figures=_figures(runs, parts, measure, metric) if may_select else (),
            tables=(
                endings_table(runs),
                *((rungs,) if rungs is not None and rungs.rows else ()),
                *((moments,) if moments is not None and moments.rows else ()),
            ),
        )


def _found(parts: "tuple[Runs, ...]", metric: str) -> list[str]:
    """The best of each study, and of its arms."""
    best = [line for part in parts for line in _best_sentences(part, metric)]
    return best + [line for part in parts for line in arm_sentences(part, metric)]


def _figures(
    runs: "Runs", parts: "tuple[Runs, ...]", measure: Measure, metric: str
) -> tuple[Figure, ...]:
    """No best so far where nothing was searched: the order of named trials means nothing."""
    is_drawn = bool(runs.searched_for) and bool(runs.complete[metric].notna().any())
    return (
        *(progress_figures(parts, metric) if is_drawn else ()),
        *(f for i, part in enumerate(parts) for f in arm_figures(part, metric, index=i)),
        *moment_figures(runs, measure),
    )


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
