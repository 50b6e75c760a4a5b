"""What early stopping has saved, in examples through SGD."""

from typing import TYPE_CHECKING

from analysis.runs.frames import KEY, T
from analysis.wording import percent
from study.results import Outcome
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_USED = "samples_seen"
_TOTAL = "training.total_samples"
_LENGTH = (T, "training.epochs")


def examples_saved(trials: "pd.DataFrame") -> float:
    """Examples that the stopped ``trials`` would have trained on besides, had they gone on.

    A trial's whole cost is its ``training.total_samples``, or else the mean of the complete trials
    with its T and its epochs; where there is neither it is left out.
    """
    import pandas as pd

    length = [name for name in _LENGTH if name in trials]
    complete = trials[trials["outcome"] == Outcome.COMPLETE]
    stopped = trials[trials["outcome"] == Outcome.EARLY_STOPPED]
    alike = complete.groupby(length, dropna=False)[_USED].mean().rename("alike").reset_index()
    whole = stopped[length].merge(alike, on=length, how="left")["alike"].to_numpy()
    expected = pd.Series(whole, index=stopped.index)
    if _TOTAL in stopped:
        stated = pd.to_numeric(stopped[_TOTAL], errors="coerce")
        expected = stated.fillna(expected)
    return float((expected - stopped[_USED]).clip(lower=0).sum())


def stopped_said(runs: "Runs") -> list[str]:
    """How many trials were stopped early, what they took, and what that saved."""
    stopped = runs.trials[runs.trials["outcome"] == Outcome.EARLY_STOPPED]
    if stopped.empty:
        return ["No trial was stopped early."]
    reached = runs.megabatches.groupby(KEY)["stream_fraction"].max().reindex(stopped[KEY])
    used, saved = runs.trials[_USED].sum(), examples_saved(runs.trials)
    spent = stopped[_USED].sum() / (used or 1.0)
    came = f", on average at {percent(reached.mean())} of the stream" if len(reached) else ""
    spared = (
        f" That saved {percent(saved / (used + saved))} of the examples that all of them "
        f"would have trained on without stopping."
        if saved
        else ""
    )
    return [
        f"{count(len(stopped), 'trial')} of {len(runs.trials)} stopped early{came}; they took "
        f"{percent(spent)} of all examples.{spared} None of them is a winner or on a front."
    ]
