"""The results of a replay, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table as RichTable

from study.config.study_config import StudyConfig
from study.simulation.comparison import Searched, Target, best_so_far, most_trials, ratio_interval
from study.simulation.simulator import replay, searched_anew
from study.simulation.table import Table


def comparison_table(found: Sequence[Searched], target: Target, *, num_rows: int) -> RichTable:
    """A line for each way of searching; the first is the control."""
    objective = target.study.objective
    limits = "".join(f", {limit}" for limit in objective.limits)
    made = RichTable(
        box=None,
        title_justify="left",
        title=(
            f"{objective.metrics[0]} {target.value:.4g} or better{limits}: {target.num_rows} of "
            f"{num_rows} recorded trials; {len(found[0].samples)} seeds"
        ),
    )
    made.add_column("sampler, stopping")
    for title in ("trials", "examples", "ratio", "95 % interval", "not met"):
        made.add_column(title, justify="right")
    for searched in found:
        low, high = ratio_interval(searched.samples, found[0].samples)
        made.add_row(
            searched.title,
            f"{sum(searched.num_trials) / len(searched.num_trials):.1f}",
            f"{searched.mean:,.0f}",
            f"{searched.mean / found[0].mean:.3f}",
            "" if searched is found[0] else f"{low:.3f} to {high:.3f}",
            str(searched.num_missed),
        )
    return made


def curve_lines(
    table: Table, study: StudyConfig, changes: Mapping[str, Any], *, budget: float
) -> Iterator[str]:
    """The best value against examples through SGD, of the first seed."""
    searched = searched_anew(study, changes, seed=0)
    yield f"\nthe best so far with seed 0, {changes['sampler']} and {changes['stopping']['name']}:"
    ended = replay(table, searched, max_trials=most_trials(table), max_samples=budget)
    for samples, value in best_so_far(ended, study):
        yield f"  after {samples:>13,.0f} examples  {study.objective.metrics[0]} {value:.4f}"
