"""Which hyper-parameters mattered, and how the metric lies along each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.measure import measure_of
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.presentation.hover import hover_texts
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable
from analysis.presentation.tables import column, span
from analysis.reports.importance.domains import choice, configurations_of, domains
from analysis.runs import trial_filter
from analysis.runs.frames import T
from analysis.statistics.importance import MAX_JUDGED, MIN_TRIALS, Domain, Importance, importances
from analysis.wording import bounds, label, listing, percent
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

TITLE = "Which settings mattered?"


@REPORTS.register("importance")
@dataclass(frozen=True)
class ImportanceReport(Report):
    """How much of a metric each hyper-parameter explains (fANOVA, PED-ANOVA), and slices."""

    position: ClassVar[int] = 64

    metric: str = field(
        default="", metadata={"help": "Metric to explain; by default the service error."}
    )
    slices: int = field(default=6, metadata={"help": "How many slices to draw at most."})

    def build(self, runs: "Runs") -> ReportSection:
        """Importances with their spread over draws of the trials, and slices of the first."""
        metric = trial_filter.metric(runs.trials, self.metric, default=measure_of(runs).service)
        trials = runs.complete[runs.complete[metric].notna()]
        if len(trials) < MIN_TRIALS:
            return ReportSection(
                TITLE,
                (
                    f"{count(len(trials), 'finished trial')} with a {label(metric)}: too few to "
                    f"estimate what it depends on; {MIN_TRIALS} are the least, several dozen are "
                    f"reliable.",
                ),
            )
        names = domains(runs, trials)
        found = importances(
            configurations_of(trials, names),
            [float(value) for value in trials[metric]],
            names,
            minimize=METRICS[metric].is_minimized,
        )
        if not found:
            return ReportSection(TITLE, ("No hyper-parameter differs between finished trials.",))
        slices = [
            _slice(runs, trials, metric, item.name, names[item.name])
            for item in found[: self.slices]
        ]
        return ReportSection(
            TITLE,
            (
                *_main_sentences(found, metric, len(trials)),
                *_conditional_sentences(found, len(trials)),
                *_drawn_sentences(len(trials)),
            ),
            figures=(*_overview(found, metric), *slices),
            tables=(_table(found),),
        )


def _main_sentences(found: Sequence[Importance], metric: str, num_trials: int) -> list[str]:
    judged = [item for item in found if item.fanova is not None]
    if not judged:
        return [f"The {label(metric)} is the same in all finished trials: nothing explains it."]
    first = judged[0]
    assert first.fanova is not None, "it was chosen for having one"
    sentences = [
        f"The {label(metric)} depends most on {first.name}: by itself it explains "
        f"{percent(first.fanova)} of the variance{_spread(first)} among "
        f"{count(first.num_trials, 'finished trial')}. Brackets are the least and the largest "
        f"share where a random quarter of the trials is left out."
    ]
    if len(judged) > 1:
        second = judged[1]
        assert second.fanova is not None, "it was chosen for having one"
        sentences.append(f"Next is {second.name}, with {percent(second.fanova)}{_spread(second)}.")
        if first.spread and second.spread and second.spread.high >= first.spread.low:
            sentences.append(
                "Which of the two matters more is uncertain: it changes with the trials drawn."
            )
    rest = 1 - sum(item.fanova or 0.0 for item in judged)
    # Of settings that only some trials have, nothing is known beside those that all have.
    if rest > 0.1 and len(judged) > 1 and all(i.num_trials == num_trials for i in found):
        sentences.append(
            f"{percent(rest)} of the variance is due to interactions between settings."
        )
    return sentences


def _spread(item: Importance) -> str:
    return f" {bounds(item.spread)}" if item.spread else ""


def _conditional_sentences(found: Sequence[Importance], num_trials: int) -> list[str]:
    partial = [item for item in found if item.num_trials < num_trials]
    if not partial:
        return []
    few = [item.name for item in partial if item.fanova is None]
    words = listing([f"{item.name} ({item.num_trials})" for item in partial])
    sentence = f"Estimated only among the trials that have them: {words}."
    if few:
        sentence += f" Too few trials have {listing(few)} for a share of the variance."
    return [sentence]


def _drawn_sentences(num_trials: int) -> list[str]:
    if num_trials <= MAX_JUDGED:
        return []
    return [
        f"Shares are judged by {MAX_JUDGED:,} of the {num_trials:,} finished trials, drawn at "
        f"random and the same in every report, as forests over more take long."
    ]


def _table(found: Sequence[Importance]) -> ReportTable:
    columns = (
        Column("parameter", "setting"),
        Column("trials", "trials that have it", "integer"),
        Column("fanova", "variance explained alone (fANOVA)", "percent"),
        Column("fanova_range", "without a quarter", "interval"),
        Column("impurity", "mean decrease of impurity", "percent"),
        Column("ped_anova", "separates the best tenth (PED-ANOVA)", "percent"),
    )
    rows = tuple(
        (i.name, i.num_trials, i.fanova, span(i.spread), i.impurity, i.ped_anova) for i in found
    )
    return ReportTable("Importance of each setting", columns, rows)


def _overview(found: Sequence[Importance], metric: str) -> tuple[Figure, ...]:
    judged = [(i, i.fanova, i.spread) for i in found if i.fanova is not None and i.spread]
    if not judged:
        return ()
    series = Series(
        "variance explained alone",
        x=tuple(share for _, share, _ in judged),
        y=tuple(float(place) for place in range(len(judged))),
        hover=tuple(
            f"{i.name}\n{percent(share)} {bounds(spread)}\n{count(i.num_trials, 'trial')}"
            for i, share, spread in judged
        ),
        hue=0,
        mark="intervals",
        low=tuple(min(share, spread.low) for _, share, spread in judged),
        high=tuple(max(share, spread.high) for _, share, spread in judged),
    )
    return (
        Figure(
            name="importance",
            title=f"What the {label(metric)} depends on",
            caption=(
                "Share of the variance that each setting explains by itself (fANOVA); whiskers "
                "reach over draws without a quarter of the trials."
            ),
            x=Axis("share of the variance", span=(-0.02, 1.02)),
            panels=(Panel(Axis("", labels=tuple(i.name for i, _, _ in judged)), (series,)),),
        ),
    )


def _slice(runs: "Runs", trials: "pd.DataFrame", metric: str, name: str, domain: Domain) -> Figure:
    """The metric of every finished trial against one hyper-parameter."""
    measure = measure_of(runs)
    having = trials[trials[name].notna()]
    labels = sorted({choice(value) for value in having[name]}, key=_in_order)
    places: Mapping[str, float] = {text: float(place) for place, text in enumerate(labels)}
    series = []
    for method, group in having.groupby("method", sort=True):
        x = [places[choice(value)] if domain.is_choice else float(value) for value in group[name]]
        series.append(
            Series(
                str(method),
                x=tuple(x),
                y=tuple(group[metric].astype(float)),
                hover=hover_texts(group, measure, [name, T]),
                trials=tuple(map(int, group["number"])),
                method=str(method),
            )
        )
    return Figure(
        name=f"slice-{name.replace('.', '-').replace('_', '-')}",
        title=name,
        caption=f"{count(len(having), 'finished trial')}; colour is the pruning schedule.",
        x=Axis(
            name,
            percent=column(name, trials).format == "percent" and not domain.is_choice,
            log=domain.is_log,
            labels=tuple(labels) if domain.is_choice else (),
        ),
        panels=(
            Panel(
                Axis(label(metric), percent=METRICS[metric].is_fraction, from_zero=False),
                tuple(series),
            ),
        ),
        half_width=True,
    )


def _in_order(text: str) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
