"""Does it hold on other architectures?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.architectures import Configuration, configurations
from analysis.comparison.comparisons import Comparison, judged
from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.measure import measure_of
from analysis.comparison.methods import pairs
from analysis.presentation.against_dense import unfinished
from analysis.presentation.forest_plot import forest_plot
from analysis.presentation.method_differences import (
    VERDICTS,
    differences_table,
    examples_sentence,
    with_sign,
)
from analysis.presentation.no_choice import no_choice_sentence
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.reports.architectures.tables import (
    best_on,
    best_table,
    common_choice,
    configuration_name,
    shared_table,
)
from analysis.runs import trial_filter
from analysis.statistics.multiple import Finding
from analysis.statistics.ranks import MIN_ITEMS, concordance_interval, kendalls_w
from analysis.wording import label, listing, points
from study.comparisons import pairs_needed
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

TITLE = "Does it hold on my other architectures?"
_MAX_SENTENCES = 4


@REPORTS.register("architectures")
@dataclass(frozen=True)
class ArchitecturesReport(Report):
    """The same configurations across architectures: methods, ranks, and the best of each."""

    position: ClassVar[int] = 40

    metric: str = field(
        default="", metadata={"help": "Metric to rank by; by default the service error."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """Methods on each architecture, how far their orders agree, and the best on each."""
        measure = measure_of(runs)
        metric = trial_filter.metric(runs.trials, self.metric, default=measure.service)
        measured = runs.complete[runs.complete[metric].notna()]
        names = sorted(str(name) for name in measured["architecture"].unique())
        if len(names) < 2:
            return ReportSection(TITLE, (_too_few(runs, names), *unfinished(runs)))
        every = configurations(runs, metric)
        shared = [c for c in every if len(c.means) == len(names)]
        found = pairs(runs, metric)
        by_model = judged(found.by_architecture(), runs.study, metric)
        by_model.sort(key=lambda pair: (pair[0].b == DENSE, pair[0].a, pair[0].density))
        may_select = not METRICS[metric].is_test
        tables = [best_table(every, shared, names, metric)] if may_select else []
        if by_model:
            tables.append(differences_table("Methods on each architecture", by_model, metric))
        if shared:
            tables.append(shared_table(shared, names, metric))
        compared = [c for c, _ in by_model]
        figure = forest_plot("architectures", compared, found.in_each_setting(), metric)
        return ReportSection(
            TITLE,
            (
                *_methods_sentences(by_model, metric),
                *examples_sentence(compared, metric),
                _agreement(shared, names, metric),
                *(
                    _common_choice(shared, names, metric)
                    if may_select
                    else [no_choice_sentence(runs)]
                ),
                *_not_shared(every, shared, names),
                *unfinished(runs),
            ),
            figures=(figure,) if by_model else (),
            tables=tuple(tables),
        )


def _too_few(runs: "Runs", names: Sequence[str]) -> str:
    if names:
        return f"All finished trials are of one architecture, {names[0]}."
    if runs.complete.empty:
        return "No trial has finished yet."
    return "No finished trial has the metric to rank by."


def _methods_sentences(by_model: Sequence[tuple[Comparison, Finding]], metric: str) -> list[str]:
    """For each two methods, the verdict and the difference on each architecture."""
    groups: dict[tuple[str, str, str], list[tuple[Comparison, Finding]]] = {}
    for c, finding in by_model:
        key = (c.a, c.b, c.density if c.b == DENSE else "")
        groups.setdefault(key, []).append((c, finding))
    sentences = []
    for (a, b, density), group in groups.items():
        if len(group) < 2:
            continue
        where = f"at {density} of the weights" if density else "at equal density"
        parts = [
            f"{VERDICTS[finding.verdict]} on {c.architecture} "
            f"({with_sign(c.result.estimate, metric, c.result.interval())}, "
            f"{count(c.result.num_pairs, 'pair')})"
            for c, finding in group
        ]
        sentences.append(f"{a} against {b} {where}, by {label(metric)}: {listing(parts)}.")
    left = len(sentences) - _MAX_SENTENCES
    more = [f"{count(left, 'more comparison')} in the table."] if left > 0 else []
    return [*sentences[:_MAX_SENTENCES], *more, *_too_few_pairs(by_model)]


def _too_few_pairs(by_model: Sequence[tuple[Comparison, Finding]]) -> list[str]:
    """That so many comparisons take more pairs than any of them has."""
    if not by_model:
        return []
    most = max(c.result.num_pairs for c, _ in by_model)
    needed = pairs_needed(len(by_model))
    if most >= needed:
        return []
    return [
        f"{count(most, 'pair')} cannot decide {count(len(by_model), 'comparison')}: {needed} "
        f"would."
    ]


def _agreement(shared: Sequence[Configuration], names: Sequence[str], metric: str) -> str:
    whole = f"{len(names)} architectures"
    if len(shared) < 2:
        return f"Fewer than two configurations ran on all of {whole}: no order can be compared."
    scores = [[c.means[name] for c in shared] for name in names]
    w, interval = kendalls_w(scores), concordance_interval(scores)
    within = (
        f"[{interval.low:.2f}, {interval.high:.2f}]"
        if interval
        else f"(no interval: all agree, or fewer than {MIN_ITEMS} configurations)"
    )
    return (
        f"The order of {count(len(shared), 'configuration')} by {label(metric)} on {whole}: "
        f"Kendall's W = {w:.2f} {within}, where 1 is the same order on all and "
        f"{1 / len(names):.2f} is what unrelated orders give in the mean."
    )


def _common_choice(
    shared: Sequence[Configuration], names: Sequence[str], metric: str
) -> list[str]:
    """The configuration with the best mean rank, and what choosing it everywhere costs."""
    common = common_choice(shared, names, metric)
    if common is None:
        return []
    pruned = [c for c in shared if c.arm != DENSE]
    losses = {
        name: abs(common.means[name] - best_on(pruned, name, metric).means[name]) for name in names
    }
    worst = max(names, key=lambda name: losses[name])
    loss = points(losses[worst]) if METRICS[metric].is_fraction else f"{losses[worst]:.3g}"
    return [
        f"One pruned choice for all: {configuration_name(common)} has the best mean rank; "
        + (
            "it is the best pruned one on every architecture."
            if losses[worst] == 0
            else f"it costs at most {loss} against the best of each, on {worst}."
        )
    ]


def _not_shared(
    every: Sequence[Configuration], shared: Sequence[Configuration], names: Sequence[str]
) -> list[str]:
    left = len(every) - len(shared)
    if not left:
        return []
    verb = "is" if left == 1 else "are"
    return [
        f"{count(left, 'configuration')} did not finish on all of {len(names)} architectures and "
        f"{verb} not ranked."
    ]
