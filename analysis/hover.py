"""What pointing at a trial in a figure says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.baseline import Measure, Row
from analysis.frames import COMPLETE
from analysis.wording import percent, size

if TYPE_CHECKING:
    import pandas as pd

_MAX_PARAMS = 8


def hover(trial: "Row | pd.Series", by: Measure, params: Sequence[str]) -> str:
    """Title, errors and the params in which the study's trials differ, one a line."""
    lines = [f"trial {trial['number']}: {trial['title']}"]
    if trial["outcome"] != COMPLETE:
        lines.append(str(trial["outcome"]).replace("_", " "))
    if trial["density"] == trial["density"]:
        lines.append(f"weights kept {size(trial['density'])}")
    for name, words in ((by.service, "service error"), (by.final, "final error")):
        if trial[name] == trial[name]:
            lines.append(f"{words} {percent(trial[name])}")
    known = [
        name for name in params if trial[name] == trial[name] and trial[name] not in (None, "none")
    ]
    lines += [f"{name} = {_short(trial[name])}" for name in known[:_MAX_PARAMS]]
    return "\n".join(lines)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
