"""Searches replayed on recorded tables: examples through SGD to one of the best.

    python -m benchmarks search                  the suite: shares on digits
    python -m benchmarks.search [--table NAME]   every way of searching, on every table or on one

Nothing is trained. The protocol is meant to be hard on a search. The range of the density ends
where the user's limit is, so that no trial of the control is known to be in vain. Rows are visited
with replacement, and each visit is charged. The target is the best ten rows or more. A search that
misses them is charged its whole budget, the examples of all rows together.
"""

import argparse
import functools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.table import Figure
from study.config.loading import study_from_raw
from study.config.plugins import load_builtin_plugins
from study.search import samplers
from study.search.earlier import earlier_study
from study.search.warm_start import good_places
from study.simulation.comparison import (
    CONTROL,
    Searched,
    find_target,
    ratio_interval,
    search_to_target,
)
from study.simulation.rendering import comparison_table
from study.simulation.table import Table, read_table, under

SUITE = "search"
NUM_SEEDS = 50
# The control's searches differ most in length, and what all others are measured by is their mean.
CONTROL_SEEDS_PER_SEED = 5
FOLDER = Path(__file__).parent / "tables"
BOUNDED = "search.space.pruning.final_density={low: 0.02, high: 0.2, log: true}"
SINGLE = "objective.metrics=[service_error]"
LIMIT = "objective.constraints=[final_density <= 0.2]"
# Name → file, and what narrows its space to what a user would write.
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "digits": ("digits.parquet", (SINGLE, BOUNDED)),
    "mnist": ("mnist.parquet", (SINGLE,)),
    "cifar10": ("cifar10_bounded.parquet", (SINGLE,)),
}
NONE, ASHA, MEDIAN, BOUND = ({"name": name} for name in ("none", "asha", "median", "bound"))
DEFAULT: Mapping[str, Any] = {"sampler": "tpe", "stopping": BOUND}
WAYS: tuple[Mapping[str, Any], ...] = (
    {"sampler": "random", "stopping": ASHA},
    {"sampler": "random", "stopping": BOUND},
    {"sampler": "tpe", "stopping": NONE},
    {"sampler": "tpe", "stopping": ASHA},
    DEFAULT,
)
# An earlier study of other data: so many random trials, of which the best places are tried first.
EARLIER_TRIALS = 60


@functools.cache
def table_of(name: str) -> Table:
    """A recorded table, in the space of who wants at most a fifth of the weights."""
    file, overrides = TABLES[name]
    return with_objective(read_table(FOLDER / file), *overrides)


def with_objective(table: Table, *overrides: str) -> Table:
    """The same trials under another objective, or those of a narrower space."""
    return under(table, study_from_raw(table.study.to_dict(), overrides=overrides))


def searched(
    name: str, way: Mapping[str, Any], *, num_seeds: int, num_workers: int = 1
) -> Searched:
    """One way of searching to one of a table's best, once a seed."""
    table = table_of(name)
    target = find_target(table, table.study)
    return search_to_target(table, target, way, num_seeds=num_seeds, num_workers=num_workers)


def searched_from_others(name: str, *, num_seeds: int) -> Searched:
    """The default, which begins at the best places of a study on each of the other tables.

    With each seed these studies are other draws of :data:`EARLIER_TRIALS` rows.
    """
    table = table_of(name)

    def places(seed: int) -> list[dict[str, Any]]:
        rng = random.Random(seed)
        found: list[dict[str, Any]] = []
        for other in TABLES:
            if other != name:
                rows = rng.sample(list(table_of(other).rows), EARLIER_TRIALS)
                found += good_places(table.study, earlier_study(other, rows))
        return found

    target = find_target(table, table.study)
    found = search_to_target(table, target, DEFAULT, num_seeds=num_seeds, places=places)
    return Searched(f"{found.title}, warm", found.samples, found.num_trials, found.num_missed)


def all_ways(name: str, *, num_seeds: int, num_workers: int = 1) -> list[Searched]:
    """The control first, then every way of searching."""
    control = searched(
        name, CONTROL, num_seeds=CONTROL_SEEDS_PER_SEED * num_seeds, num_workers=num_workers
    )
    found = [searched(name, way, num_seeds=num_seeds, num_workers=num_workers) for way in WAYS]
    if num_workers == 1:
        found.append(searched_from_others(name, num_seeds=num_seeds))
    return [control, *found]


def measure(*, full: bool = False) -> list[Figure]:
    """The shares on digits, over 50 seeds whether ``full`` or not."""
    del full
    control, *found = all_ways("digits", num_seeds=NUM_SEEDS)
    figures = []
    for one in found:
        what = f"examples to one of the best, {one.title} / random without stopping"
        is_whole = one.title == "tpe, bound"
        target = "≤ 0.33" if is_whole else ""
        figures.append(Figure(SUITE, what, one.mean / control.mean, "×", target))
        if is_whole:
            _, high = ratio_interval(one.samples, control.samples)
            figures.append(Figure(SUITE, "upper end of its 95 % interval", high, "×", target))
    return figures


def print_table(name: str, found: Sequence[Searched], console: Console) -> None:
    """The ways of searching a table side by side."""
    table = table_of(name)
    target = find_target(table, table.study)
    console.print(f"\n[bold]{name}[/]")
    console.print(comparison_table(found, target, num_rows=len(table.rows)))


def main() -> None:
    """Print the tables, and write the examples of every seed as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", choices=list(TABLES))
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--startup", type=int, help="trials before TPE learns, for comparison")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load_builtin_plugins()
    if arguments.startup:
        samplers.NUM_STARTUP["tpe"] = arguments.startup
    console, samples = Console(width=140), {}
    for name in arguments.table or TABLES:
        found = all_ways(name, num_seeds=arguments.seeds, num_workers=arguments.workers)
        print_table(name, found, console)
        samples[name] = {one.title: one.samples for one in found}
        if arguments.json:
            arguments.json.write_text(json.dumps(samples, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
