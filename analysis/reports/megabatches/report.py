"""What the number of megabatches buys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from analysis.comparison.measure import Measure, measure_of
from analysis.comparison.methods import method_names
from analysis.comparison.stream_lengths import AtLength, Step, families, largest_turns, steps
from analysis.presentation.against_dense import unfinished
from analysis.presentation.method_differences import VERDICTS, Standard, with_sign
from analysis.presentation.no_choice import no_choice_sentence
from analysis.presentation.report import REPORTS, Column, Report, ReportSection, ReportTable, Value
from analysis.presentation.tables import cell, listed_by, over_seeds, span, value_columns
from analysis.reports.megabatches.figure import length_figure
from analysis.reports.megabatches.gap_turns import turns_sentences, turns_table
from analysis.runs.frames import GAP, KEY, T
from analysis.statistics import summary
from analysis.wording import label, margin_words, percent, probability
from study.comparisons import pairs_needed
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

TITLE = "How many megabatches?"
_COSTS = ("samples_seen", "train_flops")
_MAX_LINES = 8
_MAX_ROWS = 16


@REPORTS.register("megabatches")
@dataclass(frozen=True)
class MegabatchesReport(Report):
    """What T buys: anytime, final and mean error, cost and generalization gap, all else equal."""

    position: ClassVar[int] = 30

    limit: int = field(
        default=100, metadata={"help": "How many rows at most in the table of configurations."}
    )

    def build(self, runs: "Runs") -> ReportSection:
        """From one T to the next, each configuration at each T, and turns of the gap."""
        measure = measure_of(runs)
        found = families(runs)
        turned = largest_turns(runs, GAP)
        gap = ((*turns_sentences(turned),), (turns_table(runs, turned),) if turned else ())
        if not found:
            best, table = (
                _best_at_each(runs, measure)
                if measure.may_select
                else (no_choice_sentence(runs), ())
            )
            sentences = (best, *gap[0], *unfinished(runs))
            return ReportSection(TITLE, sentences, tables=(*table, *gap[1]))
        made = steps(runs, found, measure.service, _COSTS[0])
        return ReportSection(
            TITLE,
            (
                _lowest(found, measure) if measure.may_select else no_choice_sentence(runs),
                *(
                    _step_sentence(step, Standard.of(runs.study, measure.service, len(made)))
                    for step in made
                ),
                *gap[0],
                *unfinished(runs),
            ),
            figures=(length_figure(found, measure),),
            tables=(
                _each(found, measure, self.limit),
                *((_steps_table(made),) if made else ()),
                *gap[1],
            ),
        )


def _lowest(found: Sequence[AtLength], measure: Measure) -> str:
    means = [(at.family, at.t, at.trials[measure.service].mean()) for at in found]
    known = sorted({family for family, _, mean in means if mean == mean})
    if not known:
        return "No finished trial has a service error."
    winners = [min((m, t) for f, t, m in means if f == family and m == m)[1] for family in known]
    most = max(sorted(set(winners)), key=winners.count)
    whole = count(len(known), "configuration")
    return (
        f"The lowest {label(measure.service)} is at T = {most} in {winners.count(most)} of "
        f"{whole} that ran at several T, all else equal."
    )


def _step_sentence(step: Step, standard: Standard) -> str:
    result, metric = step.result, standard.metric
    holm = f" by Holm over {standard.family} comparisons" if standard.family > 1 else ""
    basis = (
        f"{with_sign(result.estimate, metric, result.interval())}, "
        f"{count(result.num_pairs, 'pair')} of one seed in "
        f"{count(len(result.strata), 'configuration')}, {probability(step.finding.p)}{holm}"
    )
    cost = f", at {step.cost:.2f} times the examples" if step.cost == step.cost else ""
    margin, name = margin_words(standard.margin), label(metric)
    needed = pairs_needed(standard.family)
    few = (
        f"; {count(result.num_pairs, 'pair')} cannot decide "
        f"{count(standard.family, 'comparison')}: {needed} would"
        if result.num_pairs < needed
        else ""
    )
    change = {
        "better": f"the {name} falls",
        "as_good": f"the {name} is as good, at a margin of {margin}",
        "worse": f"the {name} rises by more than {margin}",
        "undecided": f"it is undecided whether the {name} changes",
        "not_pooled": f"the {name} falls in some configurations and rises in others",
    }[step.finding.verdict]
    return f"From T = {step.start} to T = {step.end} {change}: {basis}{cost}{few}."


def _each(found: Sequence[AtLength], measure: Measure, limit: int) -> ReportTable:
    anytime, mean = measure.on_split("anytime_error"), measure.on_split("mean_error")
    names = [measure.service, anytime, measure.final, mean, GAP]
    columns = listed_by("arm", "architecture", "density", T, "seeds")
    for name in names:
        columns += value_columns(name)
    columns += [Column(name, label(name), "number") for name in _COSTS]
    rows = []
    for at in found[:limit]:
        first = at.trials.iloc[0]
        row: list[Value] = [at.arm, cell(first["architecture"]), cell(first["density"])]
        row += [at.t, len(at.trials)]
        for name in names:
            row += over_seeds(at.trials[name].dropna().tolist(), name)
        row += [cell(at.trials[name].mean()) for name in _COSTS]
        rows.append(tuple(row))
    title = "Each configuration at each T"
    if len(found) > limit:
        title += f", the first {limit} of {len(found):,}"
    return ReportTable(title, tuple(columns), tuple(rows), folded=len(rows) > _MAX_ROWS)


def _steps_table(made: Sequence[Step]) -> ReportTable:
    columns = (
        Column("from", "from T", "integer"),
        Column("to", "to T", "integer"),
        Column("pairs", "pairs", "integer"),
        Column("configurations", "configurations", "integer"),
        Column("difference", "service error (points)", "points"),
        Column("interval", "95 % interval", "interval"),
        Column("lower", "lower in", "percent"),
        Column("p_holm", "Holm's p", "number"),
        Column("verdict", "verdict"),
        Column("cost", "times the examples", "number"),
    )
    rows = tuple(
        (
            step.start,
            step.end,
            step.result.num_pairs,
            len(step.result.strata),
            step.result.estimate,
            span(step.result.interval()),
            step.result.share_lower,
            step.finding.p,
            VERDICTS[step.finding.verdict],
            cell(step.cost),
        )
        for step in made
    )
    return ReportTable("From one T to the next", columns, rows)


def _best_at_each(runs: "Runs", measure: Measure) -> tuple[str, tuple[ReportTable, ...]]:
    """Where no two trials differ in T alone: the best of each T."""
    trials = runs.complete[runs.complete[T].notna() & runs.complete[measure.service].notna()]
    if trials.empty:
        return "No finished trial has a service error and a number of megabatches.", ()
    columns = (
        *listed_by(T),
        Column("trials", "finished trials", "integer"),
        Column("number", "best trial", "integer"),
        *listed_by("arm", "density"),
        Column(measure.service, label(measure.service), "percent"),
        Column(measure.final, label(measure.final), "percent"),
    )
    named = method_names(trials)
    rows = []
    for _, group in trials.groupby(T):
        best = summary.best(group, measure.service)
        assert best is not None, "all of them are finished and measured"
        row: list[Value] = [
            int(best[T]),
            len(group),
            cell(best["number"]),
            str(named[group.index[group[KEY] == best[KEY]][0]]),
        ]
        rows.append((*row, *(cell(best[n]) for n in ("density", measure.service, measure.final))))
    lead = min(rows, key=lambda row: float(str(row[5])))
    words = (
        f"No two trials differ in the number of megabatches alone, so the effect of T alone "
        f"is unknown; the best of all is at T = {lead[0]}, with a service error of "
        f"{percent(float(str(lead[5])))}."
    )
    if len(rows) == 1:
        words = f"All finished trials have T = {lead[0]}: no other T was tried."
    return words, (ReportTable("The best at each T", columns, tuple(rows)),)
