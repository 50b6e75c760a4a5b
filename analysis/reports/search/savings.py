"""What early stopping has saved, in examples through SGD."""

import math
from typing import TYPE_CHECKING

from analysis.runs.frames import KEY, T
from analysis.wording import percent
from study.results import Outcome
from study.savings import Savings, TrialCost, savings
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_USED = "samples_seen"
_TOTAL = "training.total_samples"
_LENGTH = (
    T, "training.epochs", "training.samples_per_model", "training.total_flops", "training.at",
    "architecture",
)  # fmt: skip


def examples_saved(trials: "pd.DataFrame") -> Savings:
    """What the stopped ``trials`` would have trained on besides, had they gone on."""
    import pandas as pd

    length = [name for name in _LENGTH if name in trials]
    stated = trials.get(_TOTAL, pd.Series(math.nan, index=trials.index))
    ended = trials["outcome"].isin(set(Outcome))
    return savings(
        TrialCost(Outcome(outcome), used, None if math.isnan(total) else total, tuple(alike))
        for outcome, used, total, *alike in pd.DataFrame(
            {
                "outcome": trials["outcome"],
                "used": pd.to_numeric(trials[_USED], errors="coerce"),
                "total": pd.to_numeric(stated, errors="coerce"),
                **{name: trials[name].astype(str) for name in length},
            }
        )[ended].itertuples(index=False)
    )


def stopping_sentence(runs: "Runs") -> str:
    """How many trials were stopped early, what they took, and what that saved."""
    stopped = runs.trials[runs.trials["outcome"] == Outcome.EARLY_STOPPED]
    if stopped.empty:
        return "No trial was stopped early."
    reached = runs.megabatches.groupby(KEY)["stream_fraction"].max().reindex(stopped[KEY])
    used, saved = runs.trials[_USED].sum(), examples_saved(runs.trials).saved
    share = stopped[_USED].sum() / (used or 1.0)
    without = (
        f" That saved {percent(saved / (used + saved))} of the examples that all of them would "
        f"have trained on without stopping."
        if saved
        else ""
    )
    return (
        f"{count(len(stopped), 'trial')} of {len(runs.trials)} stopped early, on average at "
        f"{percent(reached.mean())} of the stream; they took {percent(share)} of all "
        f"examples.{without} None of them is a winner or on a front."
    )
