"""A study in which nothing was learned, in sentences."""

from typing import TYPE_CHECKING

from analysis.comparison.guess import NothingLearned
from analysis.presentation.against_dense import trial_name
from analysis.wording import bounds, label, listing, percent
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_LENGTHS = (
    "training.total_samples",
    "training.total_flops",
    "training.samples_per_model",
    "training.epochs",
)
_MAX_VALUES = 4


def nothing_learned_sentences(runs: "Runs", found: NothingLearned) -> list[str]:
    """That no network beats a guess, and what to try."""
    interval = f" {bounds(found.interval)}" if found.interval else ""
    tried = [f"another training.lr{_tried(runs.trials, 'training.lr')}"]
    length = next((name for name in _LENGTHS if _values(runs.trials, name)), _LENGTHS[0])
    tried.append(f"more training, by {length}{_tried(runs.trials, length)}")
    tried.append("more examples of each class, by data.shots_per_class or larger data")
    failed = (runs.trials["outcome"] == Outcome.ERROR).any()
    look = f" Why trials failed: app-report runs {runs.study.name}." if failed else ""
    return [
        f"Nothing was learned: no finished network is better than a guess, which is wrong in "
        f"{percent(found.chance)}. The lowest {label(found.metric)} is "
        f"{percent(found.trial[found.metric])}{interval} ({trial_name(found.trial)}), so no "
        f"network is compared with another.",
        f"To try: {listing(tried)}.{look}",
    ]


def _tried(trials: "pd.DataFrame", name: str) -> str:
    values = _values(trials, name)
    if not values:
        return ""
    if len(values) > _MAX_VALUES:
        return f" (tried: {values[0]:.3g} to {values[-1]:.3g})"
    return f" (tried: {listing([f'{value:.5g}' for value in values])})"


def _values(trials: "pd.DataFrame", name: str) -> list[float]:
    import pandas as pd

    if name not in trials:
        return []
    return sorted(set(pd.to_numeric(trials[name], errors="coerce").dropna()))
