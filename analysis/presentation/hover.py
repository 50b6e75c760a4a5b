"""What pointing at a trial in a figure says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import Measure, Row
from analysis.wording import percent, size
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

_MAX_PARAMS = 8
_SHOWN = ("number", "title", "outcome", "density")


def hover_texts(
    trials: "pd.DataFrame", measure: Measure, params: Sequence[str]
) -> tuple[str, ...]:
    """Of each trial its title, errors and the params in which the study's trials differ."""
    columns = dict.fromkeys((*_SHOWN, measure.service, measure.final, *params))
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
    known = [
        name for name in params if trial[name] == trial[name] and trial[name] not in (None, "none")
    ]
    lines += [f"{name} = {_short(trial[name])}" for name in known[:_MAX_PARAMS]]
    return "\n".join(lines)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
