"""Does it hold on other architectures?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.architectures import Configuration, configurations
from analysis.comparison.dense_baseline import DENSE, measure_of
from analysis.comparison.methods import Comparison, pairs, with_holm
from analysis.presentation.against_dense import unfinished
from analysis.presentation.method_differences import differences_table, forest_plot, with_sign
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.reports.architectures.tables import (
    best_on,
    best_table,
    common_choice,
    configuration_name,
    shared_table,
)
from analysis.runs import trial_filter
from analysis.statistics.ranks import MIN_ITEMS, concordance_interval, kendalls_w
from analysis.wording import label, listing, points
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
        metric = trial_filter.metric(runs.trials, self.metric, default=measure_of(runs).service)
        measured = runs.complete[runs.complete[metric].notna()]
        names = sorted(str(name) for name in measured["architecture"].unique())
        if len(names) < 2:
            return ReportSection(TITLE, (_too_few(runs, names), *unfinished(runs)))
        every = configurations(runs, metric)
        shared = [c for c in every if len(c.means) == len(names)]
        found = pairs(runs, metric)
        by_model = list(with_holm(found.by_architecture()))
        by_model.sort(key=lambda pair: (pair[0].b == DENSE, pair[0].a, pair[0].density))
        tables = [best_table(every, shared, names, metric)]
        if by_model:
            tables.append(differences_table("Methods on each architecture", by_model, metric))
        if shared:
            tables.append(shared_table(shared, names, metric))
        single = found.in_each_setting()
        figure = forest_plot("architectures", [c for c, _ in by_model], single, metric)
        return ReportSection(
            TITLE,
            (
                *_methods_sentences([c for c, _ in by_model], metric),
                _agreement(shared, names, metric),
                *_common_choice(shared, names, metric),
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


def _methods_sentences(by_model: Sequence[Comparison], metric: str) -> list[str]:
    """For each two methods, on how many architectures the difference goes the same way."""
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for c in by_model:
        groups.setdefault((c.a, c.b, c.density if c.b == DENSE else ""), []).append(c)
    sentences = []
    for (a, b, density), group in groups.items():
        if len(group) < 2:
            continue
        lower = [c for c in group if c.result.estimate < 0]
        way, same = ("lower", lower) if 2 * len(lower) >= len(group) else ("higher", [
            c for c in group if c.result.estimate > 0
        ])  # fmt: skip
        where = f"at {density} of the weights" if density else "at equal density"
        parts = [
            f"{c.architecture} {with_sign(c.result.estimate, metric, c.result.interval)}"
            for c in group
        ]
        intervals = [c.result.interval for c in group if c.result.interval]
        clear = sum(within.low > 0 or within.high < 0 for within in intervals)
        sentences.append(
            f"{a} has on average a {way} {label(metric)} than {b} {where} on {len(same)} of "
            f"{len(group)} architectures; the interval leaves out 0 on {clear or 'none'} of them: "
            f"{listing(parts)}."
        )
    left = len(sentences) - _MAX_SENTENCES
    more = [f"{count(left, 'more comparison')} in the table."] if left > 0 else []
    return [*sentences[:_MAX_SENTENCES], *more]


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
    choice = common_choice(shared, names, metric)
    if choice is None:
        return []
    pruned = [c for c in shared if c.arm != DENSE]
    losses = {
        name: abs(choice.means[name] - best_on(pruned, name, metric).means[name]) for name in names
    }
    worst = max(names, key=lambda name: losses[name])
    loss = points(losses[worst]) if METRICS[metric].is_fraction else f"{losses[worst]:.3g}"
    return [
        f"One pruned choice for all: {configuration_name(choice)} has the best mean rank; "
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
