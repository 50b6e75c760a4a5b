"""Searches for a front replayed on recorded tables: hypervolume by examples through SGD.

    python -m benchmarks.search_fronts [--table NAME]

Service error and final density, the density on a logarithmic axis from a thousandth. Rows are
visited with replacement, as in ``benchmarks.search``. What a search saves is the share of the
budget that it does not need to come to the mean hypervolume that random search without stopping
has at its end.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from analysis.statistics.hypervolume import density_cost, running_hypervolume
from benchmarks.search import BOUND, NONE, TABLES, table_of, with_objective
from study.config.plugins import load_builtin_plugins
from study.simulation.comparison import CONTROL, most_trials
from study.simulation.simulator import Ended, replay, searched_anew
from study.simulation.table import Table

BOTH = "objective.metrics=[service_error, final_density]"
NUM_SEEDS, NUM_TRIALS = 50, 100
FRACTIONS = tuple(round(0.05 * k, 2) for k in range(1, 21))
SHOWN = (0.1, 0.2, 0.3, 0.5, 1.0)
WAYS: tuple[Mapping[str, Any], ...] = (
    CONTROL,
    {"sampler": "random", "stopping": BOUND},
    {"sampler": "tpe", "stopping": NONE},
    {"sampler": "tpe", "stopping": BOUND},
    {"sampler": "nsga2", "stopping": NONE},
)


def volumes(table: Table, way: Mapping[str, Any], *, budget: float, num_seeds: int) -> np.ndarray:
    """Hypervolume at each of :data:`FRACTIONS` of a budget of examples, one row a seed."""
    return np.array(
        [
            _volumes(
                replay(
                    table,
                    searched_anew(table.study, way, seed=seed),
                    max_trials=most_trials(table),
                    max_samples=budget,
                ),
                table.study.objective.metrics,
                budget,
            )
            for seed in range(num_seeds)
        ]
    )


def _volumes(ended: Sequence[Ended], metrics: tuple[str, ...], budget: float) -> list[float]:
    known = [(end.samples, values) for end in ended if (values := end.trial.values(metrics))]
    at = np.array([0.0, *(samples for samples, _ in known)])
    reached = [0.0, *running_hypervolume([(v[0], density_cost(v[1])) for _, v in known])]
    return [reached[int(np.sum(at <= fraction * budget)) - 1] for fraction in FRACTIONS]


def needed(found: np.ndarray, level: float) -> float:
    """The first of :data:`FRACTIONS` at which the mean over seeds reaches ``level``; else 1."""
    reached = np.flatnonzero(found.mean(axis=0) >= level)
    return FRACTIONS[int(reached[0])] if len(reached) else 1.0


def needed_interval(found: np.ndarray, control: np.ndarray) -> tuple[float, float]:
    """95 % percentile bootstrap over seeds of both."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        a, b = (rng.integers(len(x), size=len(x)) for x in (found, control))
        drawn.append(needed(found[a], float(control[b, -1].mean())))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def front_table(name: str, *, num_seeds: int) -> RichTable:
    """Hypervolumes at fractions of the budget, and the share of it that comes to random's."""
    table = with_objective(table_of(name), BOTH)
    ends = [r.history.megabatches[-1].metrics for r in table.rows if r.history.megabatches]
    budget = NUM_TRIALS * float(np.mean([end["samples_seen"] for end in ends]))
    made = RichTable(
        title=f"{name}: hypervolume, mean of {num_seeds} seeds, budget {budget:,.0f} examples",
        box=None,
    )
    for column in ("sampler, stopping", *(f"{f:.0%}" for f in SHOWN), "needed", "95 % interval"):
        made.add_column(column, justify="right")
    control = None
    for way in WAYS:
        found = volumes(table, way, budget=budget, num_seeds=num_seeds)
        control = found if control is None else control
        level = float(control[:, -1].mean())
        low, high = needed_interval(found, control)
        cells = (f"{found[:, FRACTIONS.index(f)].mean():.4f}" for f in SHOWN)
        words = f"{way['sampler']}, {way['stopping']['name']}"
        made.add_row(words, *cells, f"{needed(found, level):.0%}", f"{low:.0%} to {high:.0%}")
    return made


def main() -> None:
    """Print a table of hypervolumes for each recorded table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", choices=list(TABLES))
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS)
    arguments = parser.parse_args()
    load_builtin_plugins()
    for name in arguments.table or TABLES:
        Console(width=140).print(front_table(name, num_seeds=arguments.seeds))


if __name__ == "__main__":
    main()
