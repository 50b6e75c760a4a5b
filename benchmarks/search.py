"""Searches replayed on recorded tables: examples through SGD to one of the best, and hypervolume.

Run from the repository: ``python -m benchmarks.search`` prints the tables, with every way of
searching and the hypervolumes; the suite ``search`` has the ratios alone. Nothing is trained.

The protocol is meant to be hard on a search. The range of the density ends where the user's limit
is, so that no trial of the control is known to be in vain. Rows are visited with replacement, and
each visit is charged. The target is the best ten rows or more. A search that misses them is
charged its whole budget, the examples of all rows together.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from analysis.statistics.hypervolume import density_cost
from benchmarks.table import Figure
from study.config.loading import study_from_raw
from study.config.plugins import load_builtin_plugins
from study.config.study_config import StudyConfig
from study.simulation.comparison import (
    CONTROL,
    Searched,
    Target,
    find_target,
    hypervolume,
    ratio_interval,
    search_to_target,
)
from study.simulation.rendering import comparison_table
from study.simulation.simulator import replay, searched_anew
from study.simulation.table import Table, read_table, under

SUITE = "search"
NUM_SEEDS = 50
TABLES = Path(__file__).parent / "tables"
BOUNDED = "search.space.pruning.final_density={low: 0.02, high: 0.2, log: true}"
NONE, ASHA, MEDIAN, BOUND = ({"name": name} for name in ("none", "asha", "median", "bound"))
WAYS: list[dict[str, Any]] = [
    CONTROL,
    {"sampler": "random", "stopping": ASHA},
    {"sampler": "random", "stopping": MEDIAN},
    {"sampler": "tpe", "stopping": NONE},
    {"sampler": "tpe", "stopping": ASHA},
    {"sampler": "tpe", "stopping": MEDIAN},
]
SINGLE = "objective.metrics=[service_error]"
LIMIT = "objective.constraints=[final_density <= 0.2]"
BOTH = "objective.metrics=[service_error, final_density]"
REFERENCE = (1.0, 1.0)
FRACTIONS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def digits() -> Table:
    """The table of digits as a user would search it who wants at most a fifth of the weights."""
    return with_objective(read_table(TABLES / "digits.parquet"), SINGLE, BOUNDED)


def with_objective(table: Table, *overrides: str) -> Table:
    """The same trials under another objective, or those of a narrower space."""
    return under(table, study_from_raw(table.study.to_dict(), overrides=overrides))


def volumes(
    table: Table, study: StudyConfig, changes: Mapping[str, Any], *, budget: float, num_seeds: int
) -> np.ndarray:
    """Hypervolume at the fractions of a budget of examples, one row a seed; density is log."""
    found = []
    for seed in range(num_seeds):
        searched = searched_anew(study, changes, seed=seed)
        ended = replay(table, searched, max_trials=round(budget / mean_cost(table)))
        row = []
        for fraction in FRACTIONS:
            values = [
                e.trial.values(study.objective.metrics)
                for e in ended
                if e.samples <= fraction * budget
            ]
            points = [(v[0], density_cost(v[1])) for v in values if v is not None]
            row.append(hypervolume(points, REFERENCE))
        found.append(row)
    return np.array(found)


def mean_cost(table: Table) -> float:
    """Examples through SGD of a trial."""
    costs = [
        r.history.megabatches[-1].metrics["samples_seen"]
        for r in table.rows
        if r.history.megabatches
    ]
    return float(np.mean(costs))


def volume_table(
    table: Table, num_seeds: int, num_trials: int
) -> tuple[RichTable, dict[str, Any]]:
    """Mean hypervolume of random at fractions of a budget, and what the others have above it."""
    both = with_objective(table, BOTH)
    budget = num_trials * mean_cost(table)
    made = RichTable(
        box=None,
        title=f"hypervolume of service error and final density on a log axis, budget "
        f"{budget:,.0f} examples; excess over random with 95 % interval of the mean",
    )
    for column in ("sampler", *(f"{fraction:.0%} of it" for fraction in FRACTIONS)):
        made.add_column(column, justify="right")
    figures: dict[str, Any] = {"fractions": FRACTIONS, "budget": budget}
    control = None
    for sampler in ("random", "tpe", "nsga2"):
        changes = {"sampler": sampler, "stopping": NONE}
        found = volumes(both, both.study, changes, budget=budget, num_seeds=num_seeds)
        figures[sampler] = found.tolist()
        if control is None:
            control = found
            made.add_row(sampler, *(f"{value:.4f}" for value in found.mean(axis=0)))
            continue
        excess = found - control
        half = 1.96 * excess.std(axis=0, ddof=1) / np.sqrt(num_seeds)
        cells = [f"{m:+.4f} ± {h:.4f}" for m, h in zip(excess.mean(axis=0), half, strict=True)]
        made.add_row(sampler, *cells)
    return made, figures


@dataclass(frozen=True)
class Share:
    """Examples to the target over the control's, with the ratio's 95 % interval."""

    words: str
    ratio: float
    low: float
    high: float


def shares(found: Sequence[Searched]) -> list[Share]:
    """What sampler and stopping bring alone and together."""
    by_title = {searched.title: searched for searched in found}
    control = found[0]
    made = []
    for words, title in (
        ("stopping alone", "random, asha"),
        ("the sampler alone", "tpe, none"),
        ("both", "tpe, asha"),
    ):
        low, high = ratio_interval(by_title[title].samples, control.samples)
        made.append(Share(words, by_title[title].mean / control.mean, low, high))
    return made


def searched_to(
    table: Table,
    target: Target,
    ways: Sequence[Mapping[str, Any]],
    *,
    num_seeds: int,
    num_workers: int = 1,
) -> list[Searched]:
    """Each way of searching to one of the table's best, once a seed."""
    return [
        search_to_target(
            table,
            target,
            way,
            num_seeds=num_seeds,
            num_workers=num_workers,
        )
        for way in ways
    ]


def measure(*, full: bool = False) -> list[Figure]:
    """The shares, over 50 seeds whether ``full`` or not."""
    del full
    table = digits()
    target = find_target(table, table.study)
    ways = [way for way in WAYS if way["stopping"] != MEDIAN]
    figures = []
    for share in shares(searched_to(table, target, ways, num_seeds=NUM_SEEDS)):
        what = f"examples to one of the best, {share.words} / random without stopping"
        is_whole = share.words == "both"
        figures.append(Figure(SUITE, what, share.ratio, "×", "≤ 0.33" if is_whole else ""))
        if is_whole:
            figures.append(Figure(SUITE, "upper end of its 95 % interval", share.high, "×"))
    return figures


def main() -> None:
    """Print both tables, and write the figures of every seed as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLES / "digits.parquet")
    parser.add_argument(
        "--set", action="append", help="PATH=VALUE of the table's study; by default the bound"
    )
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trials", type=int, default=100, help="of the two-objective search")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load_builtin_plugins()
    console = Console(width=140)
    recorded = read_table(arguments.table)
    table = with_objective(recorded, SINGLE, *(arguments.set or [BOUNDED]))
    target = find_target(table, table.study)
    found = searched_to(
        table, target, WAYS, num_seeds=arguments.seeds, num_workers=arguments.workers
    )
    console.print(comparison_table(found, target, num_rows=len(table.rows)))
    for share in shares(found):
        within = f"[{share.low:.3f}, {share.high:.3f}]"
        line = f"{share.words}: {share.ratio:.3f} of the control's examples {within}"
        console.print(line, highlight=False)
    made, figures = volume_table(recorded, arguments.seeds, arguments.trials)
    console.print(made)
    if arguments.json:
        samples = {searched.title: searched.samples for searched in found}
        text = json.dumps({"examples_to_target": samples, "hypervolume": figures}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
