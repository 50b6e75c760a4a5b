"""Configurations along the stream: means and intervals over seeds after each megabatch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.matches import Match
from analysis.comparison.measure import Measure
from analysis.comparison.methods import method_names
from analysis.runs.frames import GAP, KEY, STEP, T
from analysis.statistics import summary
from analysis.wording import size
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_MAX_LINES = 8


@dataclass(frozen=True)
class Point:
    """A metric after one megabatch: its mean over seeds, with the 95 % interval if several."""

    stream_fraction: float
    num_seeds: int
    mean: float
    interval: summary.Interval | None


@dataclass(frozen=True, eq=False)
class Stream:
    """One configuration along the stream.

    Attributes:
        name: What it is, with its seeds.
        arm: Its method, with the settings that the study varies.
        method: Its pruning schedule.
        trials: Its trials, one a seed.
        served: Its mean service error.
        points: ``error``, ``gap`` and ``density``, by megabatch index.
    """

    name: str
    arm: str
    method: str
    trials: "pd.DataFrame"
    served: float
    points: Mapping[str, Mapping[int, Point]]

    @property
    def architecture(self) -> str:
        """The network's name."""
        return str(self.trials["architecture"].iloc[0])

    @property
    def num_megabatches(self) -> int:
        """T."""
        return int(self.trials[T].iloc[0])

    @property
    def highest(self) -> float:
        """The largest mean error."""
        return max(point.mean for point in self.points["error"].values())


def streams(
    runs: "Runs", measure: Measure, group: "pd.DataFrame", good: Sequence[Match]
) -> list[Stream]:
    """One configuration of each method, dense first, then those that served best.

    Of a method's configurations it is the one nearest in size to the smallest network that may be
    as good as dense, or where there is none to the pruned one that served best. On the test split,
    where nothing is chosen, it is the one nearest to the middle of all pruned sizes, and the order
    is that of names.

    Args:
        runs: The study.
        measure: What it is judged by.
        group: Finished trials of one architecture and T.
        good: The pruned trials of the study that are as good as dense.
    """
    named = method_names(runs.complete)[group.index]
    target = _target(measure, group, good)
    number = summary.configurations(group)
    made = []
    for arm, trials in group.groupby(named):
        sizes = trials.groupby(number[trials.index]).agg(
            density=("density", "mean"), served=(measure.service, "mean")
        )
        away = (sizes["density"] - target).abs().round(6)
        by = ["away", "served"] if measure.may_select else ["away"]
        ranked = sizes.assign(away=away).sort_values(by, kind="stable")
        chosen = trials[number[trials.index] == ranked.index[0]]
        made.append(_stream(runs, measure, str(arm), chosen))
    # A mean that is missing, NaN, sorts last.
    served = {s.arm: s.served if measure.may_select else 0.0 for s in made}
    made.sort(key=lambda s: (s.arm != DENSE, s.served != s.served, served[s.arm], s.arm))
    return made[:_MAX_LINES]


def _target(measure: Measure, group: "pd.DataFrame", good: Sequence[Match]) -> float:
    pruned = group[group["method"] != DENSE]
    if not measure.may_select:
        return float(pruned["density"].median()) if len(pruned) else 1.0
    here = set(pruned[KEY])
    sizes = [float(m.trial["density"]) for m in good if m.trial[KEY] in here]
    if sizes:
        return min(sizes)
    best = summary.best(pruned, measure.service)
    return 1.0 if best is None else float(best["density"])


def _stream(runs: "Runs", measure: Measure, arm: str, trials: "pd.DataFrame") -> Stream:
    rows = runs.megabatches[runs.megabatches[KEY].isin(list(trials[KEY]))]
    first = trials.iloc[0]
    kept = "" if arm == DENSE else f" {size(first['density'])}"
    seeds = f"trial {first['number']}" if len(trials) == 1 else count(len(trials), "seed")
    return Stream(
        name=f"{arm}{kept} ({seeds})",
        arm=arm,
        method=str(first["method"]),
        trials=trials,
        served=float(trials[measure.service].mean()),
        points={
            "error": _points(rows, measure.curve),
            "gap": _points(rows, GAP),
            "density": _points(rows, "density"),
        },
    )


def _points(rows: "pd.DataFrame", metric: str) -> dict[int, Point]:
    known = rows[rows[metric].notna()]
    made = {}
    for _, group in known.groupby(STEP):
        values = [float(value) for value in group[metric]]
        made[int(group[STEP].iloc[0])] = Point(
            stream_fraction=float(group["stream_fraction"].iloc[0]),
            num_seeds=len(values),
            mean=sum(values) / len(values),
            interval=summary.mean_interval(values),
        )
    return made
