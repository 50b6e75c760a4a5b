"""All trials and their metrics."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.measure import measure_of
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.presentation.tables import table
from analysis.runs import trial_filter
from analysis.runs.frames import T
from study.metrics import speedup_names
from study.results import Outcome
from study.text import count, first_line

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_MAX_REASONS = 5
_MEASURED = (*speedup_names(1), "file_bytes")


@REPORTS.register("runs")
@dataclass(frozen=True)
class RunsReport(Report):
    """All trials and their metrics; filter and sort by any dotted name."""

    position: ClassVar[int] = 80

    sort: tuple[str, ...] = field(
        default=(), metadata={"help": "Column to sort by, best first; -NAME turns it around."}
    )
    where: tuple[str, ...] = field(
        default=(), metadata={"help": 'Only trials with e.g. "pruning.schedule=app".'}
    )
    columns: str = field(
        default="", metadata={"help": "Columns to show, comma-separated, or all."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """One table of the trials chosen, and why any failed."""
        chosen = trial_filter.where(runs.trials, self.where)
        chosen = trial_filter.ordered(chosen, self.sort)
        title = "All runs" if not self.where else f"Runs with {' and '.join(self.where)}"
        return ReportSection(
            title=title,
            sentences=(
                f"{count(len(chosen), 'trial')} of {len(runs.trials)}.",
                *self._reasons(runs),
            ),
            tables=(table(title, chosen, self._names(runs)),),
        )

    def _names(self, runs: "Runs") -> list[str]:
        if self.columns == "all":
            return [str(name) for name in runs.trials.columns]
        if self.columns:
            return [
                trial_filter.require(runs.trials, name.strip()) for name in self.columns.split(",")
            ]
        measure = measure_of(runs)
        names = ["number", "title", "method", T, "density", measure.service, measure.final]
        # The method opens a title that our own tracker wrote; it need not stand twice.
        if all(str(r.title).startswith(str(r.method)) for r in runs.trials.itertuples()):
            names.remove("method")
        measured = [name for name in _MEASURED if runs.trials[name].nunique() > 1]
        return list(dict.fromkeys([*names, "test_final_error", *measured, "outcome"]))

    @staticmethod
    def _reasons(runs: "Runs") -> list[str]:
        failed = runs.trials[
            (runs.trials["outcome"] == Outcome.ERROR) & (runs.trials["reason"] != "")
        ]
        sentences = [
            f"Trial {row['number']} failed: {first_line(row['reason'])}"
            for _, row in failed.head(_MAX_REASONS).iterrows()
        ]
        left = len(failed) - len(sentences)
        return (
            [*sentences, f"{left} more failed; --columns number,reason shows why."]
            if left
            else sentences
        )
