"""Configurations on several architectures: where each is run with all else equal."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.methods import method_names
from analysis.runs.frames import T
from analysis.statistics import summary

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# What goes with the architecture.
_OF_THE_MODEL = ("architecture", "model.")


@dataclass(frozen=True, eq=False)
class Configuration:
    """All settings but the architecture and the seeds.

    Attributes:
        arm: Its method.
        num_megabatches: T; None where it was not recorded.
        density: Weights kept, on the first architecture that it ran on.
        trials: Architecture → its finished trials.
        means: Architecture → mean of the metric over seeds.
    """

    arm: str
    num_megabatches: int | None
    density: float
    trials: "dict[str, pd.DataFrame]"
    means: dict[str, float]


def configurations(runs: "Runs", metric: str) -> list[Configuration]:
    """The configurations of finished trials that have ``metric``, by their first trial."""
    trials = runs.complete[runs.complete[metric].notna()]
    if trials.empty:
        return []
    named = method_names(trials)
    number = summary.configurations(trials, excluding=_OF_THE_MODEL)
    parts: dict[int, dict[str, pd.DataFrame]] = {}
    for _, part in trials.groupby([number, "architecture"], sort=True):
        place = part.index[0]
        parts.setdefault(int(number[place]), {})[str(part["architecture"].iloc[0])] = part
    return [_configuration(own, named, metric) for own in parts.values()]


def _configuration(
    own: "dict[str, pd.DataFrame]", named: "pd.Series", metric: str
) -> Configuration:
    first = next(iter(own.values()))
    t = first[T].iloc[0]
    return Configuration(
        arm=str(named[first.index[0]]),
        num_megabatches=int(t) if t == t and t is not None else None,
        density=float(first["density"].iloc[0]),
        trials=own,
        means={name: float(part[metric].astype(float).mean()) for name, part in own.items()},
    )
