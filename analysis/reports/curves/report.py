"""Error, generalization gap and density along the stream, a line a method."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.matches import as_good, by_configuration, matches
from analysis.comparison.measure import measure_of
from analysis.figures.figure import Figure
from analysis.presentation.against_dense import unfinished
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.reports.curves.figure import figure, values_table
from analysis.reports.curves.streams import Stream, streams
from analysis.runs.frames import KEY, T
from analysis.wording import points
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

TITLE = "How good at every moment?"


@REPORTS.register("curves")
@dataclass(frozen=True)
class CurvesReport(Report):
    """Error, gap and density after each megabatch: mean over seeds, a line a method."""

    position: ClassVar[int] = 35

    limit: int = field(
        default=6, metadata={"help": "How many figures at most, one for each architecture and T."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """A figure for each architecture and T, and the values drawn as a table."""
        measure = measure_of(runs)
        measured = runs.megabatches.loc[runs.megabatches[measure.curve].notna(), KEY]
        candidates = runs.complete[
            runs.complete[KEY].isin(list(measured.unique())) & runs.complete[T].notna()
        ]
        if candidates.empty:
            sentence = "No finished trial has a history to draw."
            return ReportSection(TITLE, (sentence, *unfinished(runs)))
        places = ["architecture", "dataset", T]
        # Those that served best come first, where there is a best; those shown are then in order.
        best = candidates.groupby(places)[measure.service].min()
        if measure.may_select:
            best = best.sort_values(na_position="last")
        shown = sorted(best.index[: self.limit])
        found = by_configuration(matches(runs, measure), measure)
        good = [match for match in found if as_good(match, measure)]
        drawn = [
            streams(runs, measure, group, good)
            for place, group in candidates.groupby(places)
            if place in shown
        ]
        every = [line for lines in drawn for line in lines]
        top = 1.08 * max(line.highest for line in every) or 1.0
        has_architectures = len({line.architecture for line in every}) > 1
        sentences: list[str] = []
        figures: list[Figure] = []
        for lines in drawn:
            t = f"T = {lines[0].num_megabatches}"
            title = f"{lines[0].architecture}, {t}" if has_architectures else t
            sentences += _against_dense(title, lines) if measure.may_select else []
            figures.append(figure(f"curves-{len(figures)}", title, lines, measure, top=top))
        sentences.append("The model of a megabatch serves until the next one has been learned.")
        if len(drawn) < len(best):
            sentences.append(
                f"{len(drawn)} of {count(len(best), 'combination')} of architecture and T are "
                f"drawn, {'those that served best' if measure.may_select else 'the first'}; "
                f"--limit draws more."
            )
        return ReportSection(
            TITLE, (*sentences, *unfinished(runs)), tuple(figures), (values_table(every, measure),)
        )


def _against_dense(title: str, lines: Sequence[Stream]) -> list[str]:
    """How far the best pruned line is from dense's, at the worst moment and at the end."""
    dense = next((line for line in lines if line.arm == DENSE), None)
    pruned = [line for line in lines if line.arm != DENSE]
    if dense is None or not pruned:
        return []
    best = min(pruned, key=lambda line: line.served)
    reference = dense.points["error"]
    apart = {
        step: point.mean - reference[step].mean
        for step, point in best.points["error"].items()
        if step in reference
    }
    if not apart:
        return []
    step = max(apart, key=lambda step: apart[step])
    worst, last = apart[step], apart[max(apart)]
    where = (
        f"is at most {points(worst)} above dense's, after megabatch {step + 1}"
        if worst > 0
        else "is never above dense's"
    )
    end = f"{points(last)} {'above' if last > 0 else 'below'} it" if last else "equal to it"
    return [f"{title}: the error of {best.name} {where}; at the end it is {end}."]
