"""Pruned networks against dense, in sentences."""

from collections import Counter
from collections.abc import Container
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import Row, num_megabatches
from analysis.comparison.matches import Match, as_good, by_configuration, smallest_as_good
from analysis.comparison.measure import Measure
from analysis.presentation.deployed import best_network, brings_one
from analysis.wording import bounds, listing, margin_words, percent, size
from study.constraints import TOLERANCE
from study.results import Outcome
from study.text import count

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

SIZES = ((1 / 3, "a third"), (1 / 10, "a tenth"))


def unfinished(runs: "Runs") -> list[str]:
    """How many trials are not compared with others, since they did not finish."""
    ended = Counter(runs.trials.loc[runs.trials["outcome"] != Outcome.COMPLETE, "outcome"])
    if not ended:
        return []
    words = listing([f"{number} {name.replace('_', ' ')}" for name, number in ended.items()])
    verb = "is" if ended.total() == 1 else "are"
    return [f"{count(ended.total(), 'trial')} did not finish and {verb} not compared: {words}."]


def matches_by_model(found: list[Match]) -> dict[str, list[Match]]:
    """Matches by architecture and data set, under the words that open their sentences."""
    groups: dict[tuple[str, str], list[Match]] = {}
    for match in found:
        groups.setdefault((match.trial["architecture"], match.trial["dataset"]), []).append(match)
    if len(groups) == 1:
        return {"": found}
    return {f"{model} on {data}: ": group for (model, data), group in sorted(groups.items())}


def dense_sentences(
    group: list[Match], measure: Measure, *, judged: Container[int] = ()
) -> list[str]:
    """The smallest that may be as good as dense, and the best at each of :data:`SIZES`.

    These errors selected the networks that they are of: nothing is concluded from them.

    Args:
        group: Of one model.
        measure: By what they are compared.
        judged: Numbers of the trials that have a verdict: they are left out.
    """
    group = by_configuration(group, measure)
    smallest = smallest_as_good(group, measure)
    if smallest is None:
        sentences = [
            f"No pruned network looks as good as dense: none has both its service error and its "
            f"final error within {margin_words(measure.margin)} of dense at the same number of "
            f"megabatches."
        ]
    elif smallest.trial["number"] in judged:
        sentences = []
    else:
        sentences = _smallest_sentences(smallest, group, measure)
    for limit, words in SIZES:
        within = [m for m in group if m.trial["final_density"] <= limit * (1 + TOLERANCE)]
        if not within:  # then none keeps fewer either
            sentences.append(f"No finished trial keeps {words} of the weights or fewer.")
            break
        best = min(within, key=lambda match: (match.trial[measure.service], match.trial["number"]))
        if best.trial["number"] not in judged:
            sentences.append(_at_size(best, measure, words))
    return sentences


def _smallest_sentences(smallest: Match, group: list[Match], measure: Measure) -> list[str]:
    """The smallest that looks as good, and that none does at the T at which dense serves best."""
    sentences = [
        f"The {best_network(measure.sought)} that may be as good as dense: "
        f"{_against_dense(smallest, measure)}."
    ]
    served = min(group, key=lambda match: match.baseline.trial[measure.service]).baseline.trial
    best_t = num_megabatches(served)
    if best_t != num_megabatches(smallest.trial):
        sentences.append(
            f"At T = {best_t}, where dense serves best, no pruned network looks as good."
        )
    return sentences


def _against_dense(match: Match, measure: Measure) -> str:
    trial, dense = match.trial, match.baseline
    return (
        f"{size(trial['final_density'])} of the weights ({_name(match)}), "
        f"service error {percent(trial[measure.service])} against dense "
        f"{percent(dense.trial[measure.service])} {bounds(dense.service)} at the same number of "
        f"megabatches{_at_budget(match)}, final error {percent(trial[measure.final])} against "
        f"{percent(dense.trial[measure.final])} {bounds(dense.final)}"
        f"{_brings(match)}{_trained_apart(match)}"
    )


def _at_budget(match: Match) -> str:
    """In what the two sides had an equal budget, where that is not both examples and FLOPs."""
    return f", at {match.baseline.equal_budget}" if match.baseline.equal_budget else ""


def _name(match: Match) -> str:
    if match.num_seeds == 1:
        return trial_name(match.trial)
    return f"{trial_name(match.trial, seed=False)}, mean of {match.num_seeds} seeds"


def _brings(match: Match) -> str:
    found = brings_one(match.trial, match.baseline.trial)
    return f"; the weights {found}" if found else ""


def _trained_apart(match: Match) -> str:
    """In which settings of training the two sides differ."""
    return f", trained apart ({listing(match.trained_apart)})" if match.trained_apart else ""


def _at_size(best: Match, measure: Measure, words: str) -> str:
    looks = "it may be as good" if as_good(best, measure) else "it looks worse"
    return (
        f"The best with at most {words} of the weights: {_name(best)}, "
        f"{share_kept(best.trial)}, service error {percent(best.trial[measure.service])} "
        f"(dense {percent(best.baseline.trial[measure.service])}), final error "
        f"{percent(best.trial[measure.final])} "
        f"(dense {percent(best.baseline.trial[measure.final])}){_at_budget(best)}"
        f"{_trained_apart(best)}: {looks}."
    )


def share_kept(trial: "Row | pd.Series") -> str:
    """``12 % of the weights``."""
    return f"{size(trial['final_density'])} of the weights"


def trial_name(trial: "Row | pd.Series", *, seed: bool = True) -> str:
    """``app, T = 8, trial 3``; without the trial where it stands for its seeds."""
    named = f", trial {trial['number']}" if seed else ""
    return f"{trial['method']}, T = {num_megabatches(trial)}{named}"
