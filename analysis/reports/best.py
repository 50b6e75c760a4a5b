"""The best trials: the front of a search, or the first of a ranking."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis import summary
from analysis.baseline import Baselines, Measure, measure
from analysis.frames import T
from analysis.report import REPORTS, Column, Report, ReportSection, ReportTable, Value
from analysis.tables import cell, table
from analysis.wording import count, label, listing
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs import Runs

_MAX_PARAMS = 5


@REPORTS.register("best")
@dataclass(frozen=True)
class BestReport(Report):
    """The best trials: the front over the study's objectives, or the lowest service errors."""

    position: ClassVar[int] = 60

    limit: int = field(default=12, metadata={"help": "How many trials to show at most."})

    def build(self, runs: "Runs") -> ReportSection:
        """A table of the best, with the errors of the dense trial each compares with."""
        by = measure(runs)
        chosen, sentence = _ranked(runs, by)
        if chosen.empty:
            return ReportSection("Best trials", ("No trial has finished yet.",))
        shown = chosen.head(self.limit)
        if len(shown) < len(chosen):
            sentence += f" The first {len(shown)} of {len(chosen)} are shown."
        return ReportSection("Best trials", (sentence,), tables=(_with_dense(runs, shown, by),))


def objectives(runs: "Runs", by: Measure) -> list[str]:
    """What a study is judged by: its own objectives, or service error and weights kept."""
    known = [name for name in runs.study.objectives if name in METRICS and name in runs.trials]
    return known or [by.service, "final_density"]


def _ranked(runs: "Runs", by: Measure) -> "tuple[pd.DataFrame, str]":
    names = objectives(runs, by)
    if len(names) == 1:
        direction = METRICS[names[0]].direction
        measured = runs.complete[runs.complete[names[0]].notna()]
        ranked = measured.sort_values(
            [names[0], "number"], ascending=[direction == "minimize", True]
        )
        return ranked, f"Finished trials from the best {label(names[0])}."
    front = summary.pareto_front(runs.trials, {name: METRICS[name].direction for name in names})
    chosen = runs.trials[front].sort_values([names[0], "number"])
    words = listing([label(name) for name in names])
    verb = "is" if len(chosen) == 1 else "are"
    return chosen, (
        f"{count(len(chosen), 'trial')} {verb} on the front of {words}: no other finished trial "
        f"is as good in all of them and better in one."
    )


def _with_dense(runs: "Runs", shown: "pd.DataFrame", by: Measure) -> ReportTable:
    params = [name for name in summary.varying(runs.trials) if name != T]
    tuned = [name for name in params if not name.startswith("data.")][:_MAX_PARAMS]
    wanted = ["number", "method", T, *objectives(runs, by)]
    wanted += ["final_density", by.service, by.final, f"test_{by.service}"]
    # The method and the density have columns of their own.
    wanted += [n for n in tuned if n not in ("pruning.schedule", "pruning.final_density")]
    names = [name for name in dict.fromkeys(wanted) if name in shown]
    plain = table("Best trials", shown, names)
    baselines = Baselines(runs, by)
    dense: list[tuple[Value, Value]] = []
    for _, trial in shown.iterrows():
        baseline = baselines.of(trial)
        dense.append(
            (cell(baseline.trial[by.service]), (baseline.service.low, baseline.service.high))
            if baseline
            else (None, None)
        )
    place = names.index(by.service) + 1
    extra = (
        Column("dense_service_error", "dense", "percent"),
        Column("dense_interval", "95 % interval", "interval"),
    )
    return ReportTable(
        plain.title,
        (*plain.columns[:place], *extra, *plain.columns[place:]),
        tuple(
            (*row[:place], *more, *row[place:])
            for row, more in zip(plain.rows, dense, strict=True)
        ),
    )
