"""What pointing at a trial in a figure says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import Row
from analysis.comparison.measure import Measure
from analysis.presentation.deployed import FILE, SPEEDUP
from analysis.wording import percent, quantity, size
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

_MAX_PARAMS = 8
_SHOWN = ("number", "title", "outcome", "density")


def hover_texts(
    trials: "pd.DataFrame", measure: Measure, params: Sequence[str]
) -> tuple[str, ...]:
    """Of each trial its title, errors and the params in which the study's trials differ.

    Its speed-up and its file too, where they were measured.
    """
    measured = SPEEDUP.speedup, SPEEDUP.low, SPEEDUP.high, FILE
    columns = dict.fromkeys((*_SHOWN, measure.service, measure.final, *measured, *params))
    return tuple(
        _hover(trial, measure, params) for trial in trials[list(columns)].to_dict("records")
    )


def _hover(trial: Row, measure: Measure, params: Sequence[str]) -> str:
    lines = [f"trial {trial['number']}: {trial['title']}"]
    if trial["outcome"] != Outcome.COMPLETE:
        lines.append(str(trial["outcome"]).replace("_", " "))
    if trial["density"] == trial["density"]:
        lines.append(f"weights kept {size(trial['density'])}")
    for name, words in ((measure.service, "service error"), (measure.final, "final error")):
        if trial[name] == trial[name]:
            lines.append(f"{words} {percent(trial[name])}")
    lines += _deployed(trial)
    known = [
        name for name in params if trial[name] == trial[name] and trial[name] not in (None, "none")
    ]
    lines += [f"{name} = {_short(trial[name])}" for name in known[:_MAX_PARAMS]]
    return "\n".join(lines)


def _deployed(trial: Row) -> list[str]:
    lines = []
    if trial[SPEEDUP.speedup] == trial[SPEEDUP.speedup]:
        low, high = trial[SPEEDUP.low], trial[SPEEDUP.high]
        inside = f" [{low:.2f}, {high:.2f}]" if low == low and high == high else ""
        lines.append(f"{trial[SPEEDUP.speedup]:.2f} times as fast as dense{inside}")
    if trial[FILE] == trial[FILE]:
        lines.append(f"file {quantity(trial[FILE], FILE)}")
    return lines


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
