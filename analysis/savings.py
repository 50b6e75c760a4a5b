"""What early stopping has saved, in examples through SGD."""

from typing import TYPE_CHECKING

from analysis.frames import COMPLETE, EARLY_STOPPED, T

if TYPE_CHECKING:
    import pandas as pd

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
    complete = trials[trials["outcome"] == COMPLETE]
    stopped = trials[trials["outcome"] == EARLY_STOPPED]
    alike = complete.groupby(length, dropna=False)[_USED].mean().rename("alike").reset_index()
    whole = stopped[length].merge(alike, on=length, how="left")["alike"].to_numpy()
    expected = pd.Series(whole, index=stopped.index)
    if _TOTAL in stopped:
        stated = pd.to_numeric(stopped[_TOTAL], errors="coerce")
        expected = stated.fillna(expected)
    return float((expected - stopped[_USED]).clip(lower=0).sum())
