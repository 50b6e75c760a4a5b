"""Whom early stopping stops: of the best trials of a search, the share by schedule.

    python -m benchmarks stopping [--full]
    python -m benchmarks.stopping [--seeds 25] [--trials 60] [--json FILE]

replays searches on the recorded tables, in which every trial's end is known, in the spaces and by
the protocol of ``benchmarks.search``. *The best* are the trials of a search that end within
``objective.margin`` of its best one: what a report calls as good as it. What is *saved* is what
all trials would have trained on besides. Nothing is trained.
"""

import argparse
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.search import BOUND, TABLES, table_of
from benchmarks.table import Figure
from study.config.plugins import load_builtin_plugins
from study.metrics import wilson_interval
from study.search.feasibility import may_win
from study.search.ranking import best_first
from study.simulation.simulator import replay, searched_anew
from study.simulation.table import Table
from study.store.record import RecordedTrial

SUITE = "stopping"
# The default; Tune's rules: the lenient default of ``asha``, halving early, the median rule.
LENIENT = {"name": "asha"}
HALVING = {"name": "asha", "first_rung": 0.125, "reduction": 2.0}
MEDIAN = {"name": "median"}
WAYS: tuple[Mapping[str, Any], ...] = (BOUND, LENIENT, HALVING, MEDIAN)
SEARCHES = tuple(itertools.product(TABLES, ("random", "tpe")))
MOST_STOPPED = 0.1
NUM_SEEDS, NUM_TRIALS = 25, 60


@dataclass
class Survival:
    """What a way of stopping did to searches whose trials' ends are known.

    Attributes:
        best: Pruning schedule → how many of the best trials had it.
        stopped: Pruning schedule → how many of these were stopped.
        num_searches, num_winners_stopped: Searches, and those whose very best was stopped.
        used, whole: Examples through SGD, and those of the same trials to their end.
    """

    best: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    num_searches: int = 0
    num_winners_stopped: int = 0
    used: float = 0.0
    whole: float = 0.0

    @property
    def saved(self) -> float:
        """Share of the examples that the same trials would have trained on."""
        return 1 - self.used / self.whole

    def share(self, schedule: str) -> float:
        """Of the best with a schedule, the share that was stopped; NaN for none."""
        return self.stopped[schedule] / self.best[schedule] if self.best[schedule] else math.nan


def survival(
    table: Table, changes: Mapping[str, Any], *, seeds: Sequence[int], num_trials: int
) -> Survival:
    """Replay a search with each seed, and look who of the best came to the end.

    Args:
        table: Recorded trials, under the objective that is searched.
        changes: The search settings: ``sampler``, ``stopping``.
        seeds: Of the searches.
        num_trials: Of each search.
    """
    limits, margin = table.study.objective.limits, table.study.objective.margin
    metric = table.study.objective.metrics[0]
    found = Survival()
    for seed in seeds:
        study = searched_anew(table.study, changes, seed=seed)
        ended = replay(table, study, max_trials=num_trials)
        was_stopped = {e.row.key: e.trial.outcome != e.row.outcome for e in ended}
        tried = [e.row for e in ended]
        able = {row.key: row for row in tried if may_win(row, limits)}  # each row once
        ranked = best_first(list(able.values()), lambda r: r.final_values, metric)
        for row in ranked:
            if row.final_values[metric] > ranked[0].final_values[metric] + margin:
                break
            schedule = row.config["pruning"]["schedule"]
            found.best[schedule] += 1
            found.stopped[schedule] += was_stopped[row.key]
        found.num_searches += 1
        found.num_winners_stopped += bool(ranked) and was_stopped[ranked[0].key]
        found.used += ended[-1].samples
        found.whole += sum(map(_cost, tried))
    return found


def _cost(row: RecordedTrial) -> float:
    megabatches = row.history.megabatches
    return megabatches[-1].metrics["samples_seen"] if megabatches else 0.0


def measure(*, full: bool = False) -> list[Figure]:
    """The largest share over schedules and tables, and what is saved at least."""
    seeds = range(NUM_SEEDS if full else 5)
    figures = []
    for sampler in ("random", "tpe"):
        made = [
            survival(
                table_of(name),
                {"sampler": sampler, "stopping": BOUND},
                seeds=seeds,
                num_trials=NUM_TRIALS,
            )
            for name in TABLES
        ]
        worst = max(found.share(schedule) for found in made for schedule in found.best)
        what = f"{sampler}: of the best stopped, the worst schedule"
        figures += [
            Figure(SUITE, what, 100 * worst, "%", f"≤ {100 * MOST_STOPPED:.0f}"),
            Figure(SUITE, f"{sampler}: saved", 100 * min(f.saved for f in made), "%"),
        ]
    return figures


def main() -> None:
    """Print a line for each table, sampler and way of stopping."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS)
    parser.add_argument("--trials", type=int, default=NUM_TRIALS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load_builtin_plugins()
    console = Console(width=160)
    schedules = ("one_shot", "app", "linear", "cubic")
    shown = RichTable("table", "sampler", "stopping", *schedules, box=None)
    for title in ("winners stopped", "saved"):
        shown.add_column(title, justify="right")
    figures = []
    for (name, sampler), stopping in itertools.product(SEARCHES, WAYS):
        made = survival(
            table_of(name),
            {"sampler": sampler, "stopping": stopping},
            seeds=range(arguments.seeds),
            num_trials=arguments.trials,
        )
        shown.add_row(
            name, sampler, _title(stopping),
            *(_share(made, schedule) for schedule in schedules),
            f"{100 * made.num_winners_stopped / made.num_searches:.0f} %",
            f"{100 * made.saved:.0f} %",
        )  # fmt: skip
        about = {"table": name, "sampler": sampler, "stopping": stopping}
        figures.append({**about, **asdict(made)})
    console.print(shown)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _title(stopping: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in stopping.values())


def _share(made: Survival, schedule: str) -> str:
    """``6 % [2, 14] of 90``."""
    number = made.best[schedule]
    if not number:
        return "–"
    low, high = wilson_interval(made.share(schedule), number)
    return f"{100 * made.share(schedule):.0f} % [{100 * low:.0f}, {100 * high:.0f}] of {number}"


if __name__ == "__main__":
    main()
