"""Each configuration that was run with several seeds: means with their intervals."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis import selection, summary
from analysis.baseline import measure
from analysis.frames import T
from analysis.report import REPORTS, Column, Format, Report, ReportSection, ReportTable, Value
from analysis.tables import cell
from analysis.wording import count, label
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs import Runs


@REPORTS.register("replicates")
@dataclass(frozen=True)
class ReplicatesReport(Report):
    """Mean and 95 % interval over seeds, for each configuration run with more than one."""

    position: ClassVar[int] = 70

    metrics: str = field(
        default="", metadata={"help": "Metrics to show, comma-separated; by default errors."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """One table, configurations in order of their first trial."""
        trials = runs.complete
        groups = [
            group
            for _, group in trials.groupby(summary.configurations(trials), sort=True)
            if len(group) > 1
        ]
        title = "Over seeds"
        if not groups:
            return ReportSection(
                title, ("No configuration has finished with more than one seed.",)
            )
        names = self._names(runs)
        return ReportSection(
            title,
            (
                f"{count(len(groups), 'configuration')} with several seeds. Brackets are 95 % "
                f"Student's t intervals of the mean over seeds.",
            ),
            tables=(_table(title, groups, names),),
        )

    def _names(self, runs: "Runs") -> list[str]:
        if self.metrics:
            return [
                selection.require(runs.complete, name.strip()) for name in self.metrics.split(",")
            ]
        by = measure(runs)
        return [
            name
            for name in dict.fromkeys([by.service, by.final, "test_service_error"])
            if name in runs.complete and runs.complete[name].notna().any()
        ]


def _table(title: str, groups: "list[pd.DataFrame]", names: list[str]) -> ReportTable:
    columns = [Column("method", "method"), Column(T, "T", "integer")]
    columns += [Column("architecture", "architecture"), Column("seeds", "seeds", "integer")]
    columns.append(Column("final_density", "weights kept", "percent"))
    for name in names:
        columns.append(Column(name, label(name), _format(name)))
        is_fraction = _format(name) == "percent"
        interval = Column(f"{name}_interval", "95 % interval", "interval")
        columns += [interval] if is_fraction else _ends(name)
    return ReportTable(title, tuple(columns), tuple(_row(group, names) for group in groups))


def _ends(name: str) -> list[Column]:
    return [Column(f"{name}_low", "from", "number"), Column(f"{name}_high", "to", "number")]


def _format(name: str) -> Format:
    metric = METRICS.get(name)
    return "percent" if metric is not None and metric.high == 1 else "number"


def _row(group: "pd.DataFrame", names: list[str]) -> tuple[Value, ...]:
    first = group.iloc[0]
    row: list[Value] = [cell(first[c]) for c in ("method", T, "architecture")]
    row += [len(group), cell(group["final_density"].mean())]
    for name in names:
        values = [float(value) for value in group[name].dropna()]
        interval = summary.mean_interval(values)
        row.append(sum(values) / len(values) if values else None)
        if _format(name) == "percent":
            row.append((interval.low, interval.high) if interval else None)
        else:
            row += [interval.low, interval.high] if interval else [None, None]
    return tuple(row)
