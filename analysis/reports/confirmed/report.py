"""Whether the best of a search hold with fresh seeds, and how optimistic the search was."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.comparisons import judged
from analysis.comparison.fresh_seeds import (
    Arm,
    Confirmation,
    confirmation,
    confirming,
    of_other_metric,
)
from analysis.figures.figure import Figure
from analysis.presentation.against_dense import unfinished
from analysis.presentation.forest_plot import forest_plot
from analysis.presentation.method_differences import differences_table
from analysis.presentation.report import (
    REPORTS,
    Column,
    Format,
    Report,
    ReportSection,
    ReportTable,
    Value,
)
from analysis.presentation.tables import cell, listed_by, span, value_columns
from analysis.reports.confirmed.figure import searched_and_confirmed
from analysis.reports.confirmed.sentences import section_sentences
from analysis.runs import trial_filter
from analysis.runs.frames import T
from analysis.wording import label
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_DIFFERENCES = (
    "Mean difference within pairs of one seed, with its 95 % interval where there are six pairs; "
    "left of zero the trial is lower than its baseline."
)
TITLE = "Does the best hold with fresh seeds?"


@REPORTS.register("confirmed")
@dataclass(frozen=True)
class ConfirmedReport(Report):
    """The best trials and their baselines with fresh seeds, and how optimistic the search was."""

    position: ClassVar[int] = 15

    metric: str = field(
        default="",
        metadata={"help": "Metric to compare; by default what the trials were chosen by."},
    )

    def build(self, runs: "Runs") -> ReportSection:
        """Each trial's figure over fresh seeds, beside the search's, and against its baselines."""
        studies = confirming(runs)
        if not studies:
            return ReportSection(TITLE, (_unconfirmed(runs),))
        made = [
            confirmation(study, trial_filter.metric(study.trials, self.metric, default=""))
            for study in studies
        ]
        has_many = len(made) > 1
        return ReportSection(
            TITLE,
            tuple(line for found in made for line in _sentences(found)),
            figures=tuple(f for i, found in enumerate(made) for f in _figures(found, i)),
            tables=tuple(t for found in made for t in _tables(found, has_many=has_many)),
        )


def _unconfirmed(runs: "Runs") -> str:
    if not runs.searched_for:
        return "No study here is a search, so there is no selected trial to confirm."
    name = "STUDY" if runs.parts else runs.study.name
    return (
        f"No trial was confirmed with fresh seeds. The best of a search is optimistic: app-study "
        f"confirm {name} runs the best trials and their baselines again."
    )


def _sentences(found: Confirmation) -> list[str]:
    study = found.runs.study
    seeds = {len(arm.values) for arm in found.arms}
    each = f"{min(seeds)} to {max(seeds)}" if len(seeds) > 1 else str(*seeds)
    opening = [
        f"The study {study.name} ran {count(len(found.chosen), 'trial')} of {study.confirms} and "
        f"{count(len(found.arms) - len(found.chosen), 'baseline')} again, each with {each} seeds "
        f"that the search had not used. Optimism is how much worse a trial is than in the "
        f"search."
    ]
    return [*(opening if found.chosen else []), *section_sentences(found), *unfinished(found.runs)]


def _figures(found: Confirmation, index: int) -> list[Figure]:
    made = [searched_and_confirmed(f"confirmed-{index}", found)] if found.chosen else []
    if found.comparisons:
        comparisons = list(found.comparisons)
        drawn = forest_plot(f"confirmed-differences-{index}", comparisons, [], found.metric)
        made.append(replace(drawn, caption=_DIFFERENCES))
    return made


def _tables(found: Confirmation, *, has_many: bool) -> list[ReportTable]:
    of = f" of {found.runs.study.confirms}" if has_many else ""
    made = [_arms_table(found, f"{label(found.metric).capitalize()}{of} over fresh seeds")]
    if found.comparisons:
        made.append(
            differences_table(
                f"Differences{of}",
                [*judged(found.comparisons, found.runs.study, found.metric)],
                found.metric,
            )
        )
    return made


def _arms_table(found: Confirmation, title: str) -> ReportTable:
    is_fraction = METRICS[found.metric].is_fraction
    value: Format = "percent" if is_fraction else "number"
    of_test = f"test_{found.metric}"
    has_many = len({str(arm.first["architecture"]) for arm in found.arms}) > 1
    tests = {id(arm): of_other_metric(arm, found.runs, of_test) for arm in found.arms}
    columns = [
        Column("number", "trial", "integer"),
        Column("baseline_of", "baseline of"),
        Column("method", "method"),
        *(listed_by("architecture") if has_many else []),
        *listed_by(T, "density", "seeds"),
        Column("searched", "searched", value),
        *value_columns(found.metric, "confirmed"),
        Column(
            "optimism",
            f"optimism{' (points)' * is_fraction}",
            "points" if is_fraction else "number",
        ),
        Column("optimism_interval", "95 % interval", "interval" if is_fraction else "range"),
    ]
    has_test = any(tests.values())
    if has_test:
        columns.append(Column("test_searched", "test, searched", value))
        columns += value_columns(of_test, "test, confirmed")
    rows = [
        (
            *_row(arm, with_model=has_many),
            *(_test_cells(tests[id(arm)], of_test) if has_test else ()),
        )
        for arm in found.arms
    ]
    return ReportTable(title, tuple(columns), tuple(rows))


def _row(arm: Arm, *, with_model: bool) -> tuple[Value, ...]:
    optimism = arm.optimism
    return (
        arm.number,
        ", ".join(map(str, arm.baseline_of)) or None,
        str(arm.first["method"]),
        *([cell(arm.first["architecture"])] if with_model else []),
        cell(arm.first[T]),
        cell(arm.trials["density"].mean()),
        len(arm.values),
        arm.searched,
        arm.mean,
        span(arm.interval, arm.metric),
        optimism.estimate if optimism else None,
        span(optimism.interval()) if optimism else None,
    )


def _test_cells(arm: Arm | None, metric: str) -> tuple[Value, ...]:
    if arm is None:
        return (None, None, None)
    return (arm.searched, arm.mean, span(arm.interval, metric))
