"""What pruning brings to those who deploy the network, in words: its speed, and its file."""

import math
from statistics import geometric_mean
from typing import TYPE_CHECKING

from analysis.statistics.summary import Interval, mean_interval
from analysis.wording import share_words
from study.candidates import DENSITY
from study.metrics import METRICS, speedup_names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.comparison.dense_baseline import Row

FILE = "file_bytes"
SPEEDUP = speedup_names(1)
_NARROW, _SLOW = 0.2, 1.5


def best_network(sought: str) -> str:
    """What the network is called that has most of what is sought: ``smallest network``."""
    if sought == DENSITY:
        return "smallest network"
    is_bytes = METRICS[sought].quantity == "bytes"
    return "network with the smallest file" if is_bytes else "fastest network"


def brings(trials: "pd.DataFrame", dense: "pd.DataFrame") -> str:
    """``run 2.1 times as fast [1.9, 2.3], in a file a fifth as large``; empty if not measured.

    Of the file alone ``lie in a file a fifth as large``.

    Args:
        trials: Of one configuration, a seed each.
        dense: What it was run beside.
    """
    speed, low, high = (_known(trials, name) for name in SPEEDUP[1:])
    found = []
    if speed:
        own = Interval(low[0], high[0]) if len(speed) == 1 and low and high else None
        found.append(_faster(geometric_mean(speed), own or _over_seeds(speed)))
    ours, theirs = _known(trials, FILE), _known(dense, FILE)
    if ours and theirs:
        in_file = _file((sum(ours) / len(ours)) / (sum(theirs) / len(theirs)))
        found.append(in_file if found else f"lie {in_file}")
    return ", ".join(found)


def brings_one(trial: "Row", dense: "Row") -> str:
    """The same of a single trial."""
    import pandas as pd

    return brings(pd.DataFrame([dict(trial)]), pd.DataFrame([dict(dense)]))


def _known(trials: "pd.DataFrame", name: str) -> list[float]:
    return [float(value) for value in trials[name].dropna()] if name in trials else []


def _over_seeds(speed: list[float]) -> Interval | None:
    """Of the geometric mean: Student's on logarithms, since no network has a negative speed."""
    found = mean_interval([math.log(ratio) for ratio in speed])
    return Interval(math.exp(found.low), math.exp(found.high)) if found else None


def _faster(speedup: float, interval: Interval | None) -> str:
    if interval is None:
        return f"run {speedup:.1f} times as fast"
    # One decimal of a narrow interval around 1.04 would read 1.0 [1.0, 1.0].
    digits = 2 if interval.high - interval.low < _NARROW and speedup < _SLOW else 1
    low, high = (f"{end:.{digits}f}" for end in (interval.low, interval.high))
    return f"run {speedup:.{digits}f} times as fast [{low}, {high}]"


def _file(ratio: float) -> str:
    share = "just" if f"{ratio:.2g}" == "1" else share_words(ratio)
    return f"in a file {share} as large"
