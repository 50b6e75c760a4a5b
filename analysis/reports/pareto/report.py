"""How far one can prune: the front of error, weights kept and training cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.guess import nothing_learned
from analysis.comparison.matches import Match, matches
from analysis.comparison.measure import Measure, measure_of
from analysis.comparison.planned_verdicts import planned_sequences
from analysis.errors import ReportError
from analysis.presentation.against_dense import dense_sentences, matches_by_model, unfinished
from analysis.presentation.against_guess import nothing_learned_sentences
from analysis.presentation.no_choice import no_choice_sentence
from analysis.presentation.planned_sentences import planned_sentences
from analysis.presentation.report import REPORTS, Report, ReportSection, ReportTable
from analysis.reports.pareto.figures import deployed_figures, front_figure, volume_figure
from analysis.reports.pareto.tables import per_t, volumes_table, with_dense
from analysis.reports.pareto.training_cost import cost_sentences, cost_table
from analysis.runs import trial_filter
from analysis.statistics import summary
from analysis.statistics.hypervolume import SMALLEST_DENSITY, density_cost, running_hypervolume
from analysis.wording import label, listing, percent
from study.comparisons import EQUAL_BUDGET
from study.metrics import METRICS
from study.results import Outcome
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.figures.figure import Figure
    from analysis.runs.study_runs import Runs

TITLE = "How far can I prune?"
_COST = "train_flops"


@REPORTS.register("pareto")
@dataclass(frozen=True)
class ParetoReport(Report):
    """Service error, weights kept and training cost against each other: the front, and dense."""

    position: ClassVar[int] = 10

    metrics: str = field(
        default="",
        metadata={
            "help": "Two or three metrics, comma-separated; by default the study's objectives, or "
            "service error, final density and training FLOPs."
        },
    )
    limit: int = field(default=12, metadata={"help": "How many trials to list at most."})

    def build(self, runs: "Runs") -> ReportSection:
        """The smallest as good as dense, the front in figures, and how it grew."""
        measure = measure_of(runs)
        names = self._names(runs, measure)
        finished = runs.candidates[runs.candidates["outcome"] == Outcome.COMPLETE]
        measured = finished[finished[names].notna().all(axis=1)]
        if measured.empty:
            words = listing([label(name) for name in names])
            sentence = f"No finished trial has {words}, so there is no front."
            return ReportSection(TITLE, (sentence, *unfinished(runs)))
        if not measure.may_select or any(METRICS[name].is_test for name in names):
            return self._without_choice(runs, measure, measured, names)
        found = matches(runs, measure)
        among = summary.pareto_front(runs.candidates, names)
        on_front = among.reindex(runs.trials.index, fill_value=False)
        front = runs.trials[on_front].sort_values([names[0], "number"])
        volumes = running_hypervolume(_costs(measured, names))
        listed = replace(
            with_dense(runs, front.head(self.limit), measure, names), title="The front"
        )
        tables: list[ReportTable] = [listed]
        if found:
            tables.append(per_t(measure, found))
        tables += self._cost_tables(runs, found)
        tables.append(volumes_table(measured, volumes))
        nothing = nothing_learned(runs, measure)
        answers = (
            nothing_learned_sentences(runs, nothing)[:1]
            if nothing
            else planned_sentences(planned_sequences(runs, measure), measure, runs.study.margin)
            or [
                model + dense_sentences(group, measure)[0]
                for model, group in matches_by_model(found).items()
            ]
        )
        return ReportSection(
            TITLE,
            (
                *answers,
                *cost_sentences(runs, measure, found),
                *_front_sentences(front, len(measured), names, self.limit),
                _volume_sentence(measured, volumes, names),
                *unfinished(runs),
            ),
            figures=(
                *(
                    front_figure(runs, measure, (names[0], name), on_front, names)
                    for name in names[1:]
                ),
                *self._deployed_figures(runs, measure, names, may_choose=True),
                volume_figure(measured, volumes),
            ),
            tables=tuple(tables),
        )

    def _without_choice(
        self, runs: "Runs", measure: Measure, measured: "pd.DataFrame", names: Sequence[str]
    ) -> ReportSection:
        """All finished trials and no front: to be on it is to be chosen."""
        listed = with_dense(runs, measured.head(self.limit), measure, names)
        found = matches(runs, measure)
        title = "Finished trials"
        if len(measured) > self.limit:
            title += f", the first {self.limit} of {len(measured):,}"
        return ReportSection(
            TITLE,
            (
                no_choice_sentence(runs),
                *cost_sentences(runs, measure, found),
                *unfinished(runs),
            ),
            figures=(
                *(
                    front_figure(runs, measure, (names[0], name), None, names)
                    for name in names[1:]
                ),
                *self._deployed_figures(runs, measure, names, may_choose=False),
            ),
            tables=(replace(listed, title=title), *self._cost_tables(runs, found)),
        )

    def _deployed_figures(
        self, runs: "Runs", measure: Measure, names: Sequence[str], *, may_choose: bool
    ) -> "list[Figure]":
        """None beside the metrics that were asked for."""
        if self.metrics:
            return []
        drawn = {frozenset((names[0], name)) for name in names[1:]}
        return deployed_figures(runs, measure, drawn, may_choose=may_choose)

    def _cost_tables(self, runs: "Runs", found: Sequence[Match]) -> list[ReportTable]:
        made = cost_table(runs, found, self.limit)
        return [made] if made else []

    def _names(self, runs: "Runs", measure: Measure) -> list[str]:
        if self.metrics:
            names = trial_filter.metrics(runs.trials, self.metrics)
            if len(names) not in (2, 3):
                raise ReportError(
                    f"--metrics takes two or three metrics, got {self.metrics!r}; for example "
                    f"service_error,final_density,{_COST}"
                )
            return names
        objectives = [n for n in runs.study.objectives if n in METRICS and n in runs.trials]
        if len(objectives) in (2, 3):
            return objectives
        cost = runs.complete[_COST].dropna()
        # What costs all trials the same, a last mini-batch apart, makes none of them better.
        differs = len(cost) > 1 and cost.max() - cost.min() > EQUAL_BUDGET * cost.max()
        return [measure.service, "final_density", *([_COST] if differs else [])]


def _costs(measured: "pd.DataFrame", names: Sequence[str]) -> list[list[float]]:
    """Each trial as a point in the unit box, 0 best: by a metric's bounds, or the largest.

    Densities are on a logarithmic axis.
    """
    columns = []
    for name in names:
        metric, values = METRICS[name], measured[name].astype(float)
        if metric.quantity == "density" and metric.is_minimized:
            columns.append(values.map(density_cost))
            continue
        bounded = metric.high < float("inf")
        low, high = (metric.low, metric.high) if bounded else (0.0, float(values.max()) or 1.0)
        scaled = ((values - low) / (high - low)).clip(0.0, 1.0)
        columns.append(scaled if metric.is_minimized else 1 - scaled)
    return [list(point) for point in zip(*columns, strict=True)]


def _front_sentences(
    front: "pd.DataFrame", num_finished: int, names: Sequence[str], limit: int
) -> list[str]:
    words = listing([label(name) for name in names])
    verb = "is" if len(front) == 1 else "are"
    sentence = (
        f"{len(front):,} of {count(num_finished, 'finished trial')} {verb} on the front of "
        f"{words}: no other is as good in all of them and better in one."
    )
    if len(front) > limit:
        sentence += f" The first {limit} are listed; --limit lists more."
    return [sentence]


def _volume_sentence(
    measured: "pd.DataFrame", volumes: Sequence[float], names: Sequence[str]
) -> str:
    last = volumes[-1]
    numbers = list(measured["number"])
    enough = next(i for i, volume in enumerate(volumes) if volume >= 0.99 * last)
    unbounded = [label(name) for name in names if METRICS[name].high == float("inf")]
    notes = [f"{listing(unbounded)}: the largest of the study"] if unbounded else []
    if any(METRICS[name].quantity == "density" for name in names):
        notes.append(f"densities on a logarithmic axis from {percent(SMALLEST_DENSITY)}")
    box = f" ({'; '.join(notes)})" if notes else ""
    return (
        f"The front dominates {percent(last)} of the box from the best conceivable to the worst"
        f"{box}; 99 % of that was there with trial {numbers[enough]}, after {enough + 1} of "
        f"{count(len(volumes), 'finished trial')}."
    )
