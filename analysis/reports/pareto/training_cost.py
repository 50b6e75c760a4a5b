"""What training took against dense: a sentence, and a table of all configurations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.matches import Match, by_configuration, smallest_as_good
from analysis.comparison.measure import Measure
from analysis.comparison.training_cost import Taken, TrainingCost, training_costs
from analysis.presentation.against_dense import matches_by_model, trial_name
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import cell, listed_by, span
from analysis.runs.frames import T
from analysis.wording import size

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_BUSY = "Wall times are those of a machine that may have had other work."


def cost_sentences(runs: "Runs", measure: Measure, found: Sequence[Match]) -> list[str]:
    """What training took, of the network that may be as good as dense or else of the cheapest.

    And from where to where it goes over all configurations. Nothing where training took what
    dense took.
    """
    sentences = []
    timed = False
    for model, group in matches_by_model(list(found)).items():
        costs = training_costs(runs, group)
        if not costs:
            continue
        timed = timed or any(cost.seconds for cost in costs)
        sentences.append(model + _one(_told(costs, group, measure)))
        if len(costs) > 1:
            sentences.append(model + _all(costs))
    return [*sentences, *([_BUSY] if timed else [])]


def _told(costs: list[TrainingCost], group: list[Match], measure: Measure) -> TrainingCost:
    """The one that the section opens with; on the test split, which chooses nothing, none is."""
    named = (
        smallest_as_good(by_configuration(group, measure), measure) if measure.may_select else None
    )
    return next((c for c in costs if named and c.configuration == named.configuration), costs[0])


def _one(cost: TrainingCost) -> str:
    single = cost.num_seeds == 1
    seeds = "" if single else f", mean over its {cost.num_seeds} seeds"
    return (
        f"Training the network with {size(cost.density)} of the weights "
        f"({trial_name(cost.trial, seed=single)}{seeds}) took {_times(cost.flops)} the FLOPs"
        f"{f' and {_times(cost.seconds)} the wall time' if cost.seconds else ''} of dense on as "
        f"many examples."
    )


def _times(taken: Taken) -> str:
    interval = taken.interval
    inside = f" [{interval.low:.2f}, {interval.high:.2f}]" if interval else ""
    return f"{taken.ratio:.2f} times{inside}"


def _all(costs: list[TrainingCost]) -> str:
    parts = [f"{_from_to([cost.flops for cost in costs])} times the FLOPs"]
    if seconds := [cost.seconds for cost in costs if cost.seconds]:
        parts.append(f"{_from_to(seconds)} times the wall time")
    return (
        f"Of the {len(costs):,} pruned configurations that took another number of FLOPs than "
        f"dense, training took {' and '.join(parts)}."
    )


def _from_to(taken: Sequence[Taken]) -> str:
    ratios = [one.ratio for one in taken]
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def cost_table(runs: "Runs", found: Sequence[Match], limit: int) -> ReportTable | None:
    """The cheapest configurations beside dense, a row each; None where there is none."""
    costs = training_costs(runs, found)
    if not costs:
        return None
    varied = [n for n in ("architecture", "dataset") if len({c.trial[n] for c in costs}) > 1]
    shown = costs[:limit]
    title = "What training took against dense"
    if len(costs) > limit:
        title += f", the cheapest {limit} of {len(costs):,}"
    columns = (
        Column("number", "trial", "integer"),
        Column("method", "method"),
        *(Column(name, "data" if name == "dataset" else name) for name in varied),
        *listed_by(T, "density", "seeds"),
        Column("train_flops", "training FLOPs", "number"),
        Column("dense_train_flops", "dense's", "number"),
        Column("train_flops_ratio", "times dense's", "number"),
        Column("wall_seconds", "wall time in s", "number"),
        Column("dense_wall_seconds", "dense's", "number"),
        Column("wall_seconds_ratio", "times dense's", "number"),
        Column("wall_seconds_ratio_interval", "95 % interval", "range"),
    )
    return ReportTable(title, columns, tuple(_row(cost, varied) for cost in shown))


def _row(cost: TrainingCost, varied: Sequence[str]) -> tuple[Value, ...]:
    seconds: tuple[Value, ...] = (None, None, None, None)
    if cost.seconds:
        seconds = (*cost.seconds.means, cost.seconds.ratio, span(cost.seconds.interval))
    return (
        *(cell(cost.trial[name]) for name in ("number", "method", *varied, T)),
        cost.density,
        cost.num_seeds,
        *cost.flops.means,
        cost.flops.ratio,
        *seconds,
    )
