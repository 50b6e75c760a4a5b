"""What the trials of a study are compared by elsewhere, and when they ended."""

from typing import TYPE_CHECKING

from analysis.errors import ReportError
from analysis.runs import frames
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_WITHOUT_SEARCH = ("service_error", "test_service_error")


def objectives(runs: "Runs") -> tuple[str, ...]:
    """The study's objectives; without search the service error, on test where no other is known.

    Raises:
        ReportError: No trial has a value of it.
    """
    asked = tuple(name for name in runs.study.objectives if name in METRICS)
    if asked:
        return asked
    for name in _WITHOUT_SEARCH:
        if runs.trials[name].notna().any():
            return (name,)
    raise ReportError(
        f"no trial of {runs.study.name!r} has a {_WITHOUT_SEARCH[0]} yet, by which trials would "
        f"be compared; export it once one has finished, or without --for"
    )


def ended_at(runs: "Runs") -> "pd.Series":
    """When each trial ended, in seconds since 1970: its start and the time that it trained.

    A trial that was resumed has ended later by as long as it lay still.
    """
    start = runs.trials["started_at"].astype(float)
    if "seconds" not in runs.megabatches:
        return start
    trained = runs.megabatches.groupby(frames.KEY)["seconds"].sum()
    return start + runs.trials[frames.KEY].map(trained).fillna(0.0).astype(float)
