"""Which schedule: methods at equal density and budget, paired by seed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.comparisons import Comparison, judged
from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.measure import measure_of
from analysis.comparison.methods import Pairs, method_names, pairs, settings_varied
from analysis.presentation.against_dense import unfinished
from analysis.presentation.forest_plot import forest_plot
from analysis.presentation.method_differences import (
    Standard,
    comparison_sentence,
    differences_table,
    examples_sentence,
)
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable, Value
from analysis.presentation.tables import cell, listed_by, over_seeds, value_columns
from analysis.reports.methods.settings import setting_section
from analysis.runs import trial_filter
from analysis.runs.frames import T
from analysis.statistics import summary
from analysis.statistics.multiple import Finding
from analysis.wording import label
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

TITLE = "Which schedule, and is the difference real?"
STREAM_SIZE = "data.stream_size"
_MAX_SENTENCES = 6
_MAX_ROWS = 12


@REPORTS.register("methods")
@dataclass(frozen=True)
class MethodsReport(Report):
    """Dense, one-shot, APP and others at equal density, T and budget, paired by seed."""

    position: ClassVar[int] = 20

    metrics: str = field(
        default="",
        metadata={
            "help": "Metrics, comma-separated: the first is compared, all are shown over seeds."
        },
    )

    compare: str = field(
        default="",
        metadata={
            "help": "A setting whose values are compared instead, all else equal, such as "
            "training.start; more that change with it after commas."
        },
    )

    limit: int = field(
        default=100, metadata={"help": "How many rows at most in the tables of configurations."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """What is separable, the differences with intervals, and means over seeds."""
        measure = measure_of(runs)
        given = trial_filter.metrics(runs.trials, self.metrics)
        shown = given or [measure.service, measure.final, f"test_{measure.service}"]
        metric = shown[0]
        if self.compare:
            return setting_section(runs, self.compare, metric)
        found = pairs(runs, metric)
        pooled = sorted(judged(found.pooled(), runs.study, metric), key=_order)
        single = sorted(found.in_each_setting(), key=lambda c: (c.result.p, c.a, c.b))
        tables = []
        if pooled:
            tables.append(differences_table("Differences", pooled, metric))
            if len(single) > len(pooled):
                each = differences_table(
                    "In each configuration, not judged",
                    [(c, None) for c in single],
                    metric,
                    limit=self.limit,
                )
                tables.append(replace(each, folded=len(single) > _MAX_ROWS))
        seeds = _over_seeds(runs, shown, self.limit)
        figure = forest_plot("methods", [c for c, _ in pooled], single, metric)
        return ReportSection(
            TITLE,
            (
                *_verdicts(pooled, Standard.of(runs.study, metric, len(pooled))),
                *examples_sentence([c for c, _ in pooled], metric),
                *_left_out(found),
                *unfinished(runs),
            ),
            figures=(figure,) if pooled else (),
            tables=(*tables, *seeds),
        )


def _order(pair: tuple[Comparison, Finding]) -> tuple[bool, str, str, str]:
    comparison, _ = pair
    return comparison.b == DENSE, comparison.a, comparison.b, comparison.density


def _verdicts(pooled: Sequence[tuple[Comparison, Finding]], standard: Standard) -> list[str]:
    if not pooled:
        return [
            "No two methods can be compared: that takes two methods at equal density with at "
            "least two seeds in common, and all else equal."
        ]
    sentences = [
        comparison_sentence(comparison, finding, standard)
        for comparison, finding in pooled[:_MAX_SENTENCES]
    ]
    if len(pooled) > len(sentences):
        sentences.append(f"{count(len(pooled) - len(sentences), 'more comparison')} in the table.")
    return sentences


def _left_out(found: Pairs) -> list[str]:
    sentences = []
    if found.num_alone:
        sentences.append(
            f"{count(found.num_alone, 'finished pruned trial')} could not be compared with "
            f"another schedule: no trial with the same seed and settings was pruned to the same "
            f"density, to the weight."
        )
    if found.num_unequal:
        sentences.append(
            f"{count(found.num_unequal, 'pair')} of trials had neither equal examples nor equal "
            f"FLOPs, and {'is' if found.num_unequal == 1 else 'are'} left out."
        )
    return sentences


def _over_seeds(runs: "Runs", metrics: Sequence[str], limit: int) -> tuple[ReportTable, ...]:
    """Means of the configurations that finished with several seeds."""
    trials = runs.complete
    number = summary.configurations(trials)
    several = number[number.duplicated(keep=False)]
    if several.empty:
        return ()
    first = several[several.isin(several.unique()[:limit])]
    groups = [trials.loc[part.index] for _, part in first.groupby(first)]
    shown = [name for name in metrics if name in trials and trials[name].notna().any()]
    # What has a column of its own, and what gives way to it, needs no further one.
    apart = [n for n in settings_varied(trials) if n not in (T, "model.architecture", STREAM_SIZE)]
    columns = [*listed_by("arm", "architecture", T, "density", "seeds")]
    columns += [Column(name, label(name)) for name in apart]
    for name in shown:
        columns += value_columns(name)
    named = method_names(trials)
    rows = tuple(_row(group, named, apart, shown) for group in groups)
    title = "Each configuration over its seeds"
    if several.nunique() > limit:
        title += f", the first {limit} of {several.nunique()}"
    return (ReportTable(title, tuple(columns), rows, folded=len(rows) > _MAX_ROWS),)


def _row(
    group: "pd.DataFrame", named: "pd.Series", settings: Sequence[str], metrics: Sequence[str]
) -> tuple[Value, ...]:
    first = group.iloc[0]
    row: list[Value] = [str(named[group.index[0]]), cell(first["architecture"]), cell(first[T])]
    row += [cell(group["density"].mean()), len(group)]
    row += [None if first[name] == "none" else cell(first[name]) for name in settings]
    for name in metrics:
        row += over_seeds(group[name].dropna().tolist(), name)
    return tuple(row)
