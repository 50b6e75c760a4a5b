"""What a confirming study says, in sentences."""

from typing import TYPE_CHECKING

from analysis.comparison.comparisons import judged
from analysis.comparison.confirmed_verdicts import sequences
from analysis.comparison.fresh_seeds import Arm, Confirmation, confirmation, confirming
from analysis.presentation.against_dense import share_kept
from analysis.presentation.method_differences import Standard, comparison_sentence, with_sign
from analysis.presentation.tables import span
from analysis.presentation.verdict_sentences import verdict_sentences
from analysis.statistics.differences import MethodDifference
from analysis.statistics.summary import Interval
from analysis.wording import bounds, label, listing, quantity
from study.metrics import METRICS
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


def arm_sentence(arm: Arm) -> str:
    """A trial of the search: its figure over fresh seeds, and how optimistic the search was."""
    figure = baseline_sentence(arm)
    if arm.searched is None or arm.optimism is None:
        return f"{figure}; the search's figure is not recorded."
    found = _quantity(arm.searched, None, arm.metric)
    return f"{figure}, where the search found {found}: optimism {_effect(arm.optimism, arm)}."


def baseline_sentence(arm: Arm) -> str:
    """An arm's figure over fresh seeds."""
    value = _quantity(arm.mean, arm.interval, arm.metric)
    return (
        f"{arm.name}, {share_kept(arm.first)}: {label(arm.metric)} {value} over "
        f"{count(len(arm.values), 'fresh seed')}"
    )


def confirmed_sentences(runs: "Runs") -> list[str]:
    """A sentence each confirmed trial, with its differences to its baselines."""
    return [line for study in confirming(runs) for line in _answered(confirmation(study))]


def confirmed_verdicts(runs: "Runs") -> list[str]:
    """What may be concluded of the trials that were run again, against dense."""
    return [
        line
        for study in confirming(runs)
        for line in verdict_sentences(sequences(study, confirmation(study)), study.study.confirms)
    ]


def optimism_sentences(runs: "Runs") -> list[str]:
    """That the figures of a search, unlike those of fresh seeds, are of winners."""
    if not runs.study.objectives:
        return []
    if confirmed_sentences(runs):
        return [
            "All other figures are the search's own and optimistic: the best trials were chosen "
            "by them."
        ]
    begun = listing([study.study.name for study in confirming(runs)])
    name = "STUDY" if runs.parts else runs.study.name
    remedy = (
        f"{begun} confirms the best with fresh seeds; none of its trials has finished yet."
        if begun
        else f"To confirm it with fresh seeds: app-study confirm {name}"
    )
    return [
        f"The best error of a search is optimistic: it was selected on the same examples that it "
        f"is measured on. {remedy}"
    ]


def _answered(found: Confirmation) -> list[str]:
    sentences = []
    for arm in found.chosen:
        against = [
            f"{with_sign(c.result.estimate, found.metric, c.result.interval())} against {c.b}"
            f"{_zero(c.result.interval())}"
            for c in found.comparisons
            if c.a == arm.name
        ]
        more = f" In pairs of one seed: {'; '.join(against)}." if against else ""
        sentences.append(f"Confirmed with fresh seeds: {arm_sentence(arm)}{more}")
    return sentences


def section_sentences(found: Confirmation) -> list[str]:
    """Each trial, the optimism of the search, and each trial against its baselines."""
    if not found.chosen:
        return [
            f"The study {found.runs.study.name} confirms trials of {found.runs.study.confirms} "
            f"with fresh seeds; none of them has finished yet."
        ]
    verdicts = verdict_sentences(sequences(found.runs, found), found.runs.study.confirms)
    sentences = [*verdicts, *(arm_sentence(arm) for arm in found.chosen)]
    if found.optimism is not None and len(found.chosen) > 1:
        sentences.append(
            f"Optimism of the search over these {len(found.chosen)} trials: "
            f"{_effect(found.optimism, found.chosen[0])}."
        )
    study = found.runs.study
    standard = Standard.of(study, found.metric, len(found.comparisons))
    sentences += [
        comparison_sentence(comparison, finding, standard)
        for comparison, finding in judged(found.comparisons, study, found.metric)
    ]
    if found.num_unequal:
        sentences.append(
            f"{count(found.num_unequal, 'pair')} of trials ended at different densities or saw "
            f"different numbers of examples and {'is' if found.num_unequal == 1 else 'are'} left "
            f"out."
        )
    return [*sentences, _split_sentence(found)]


def _split_sentence(found: Confirmation) -> str:
    if found.varies_data:
        return (
            "The data was split anew with each seed, so no example is met twice and there is no "
            "verdict by example."
        )
    return (
        "Only the training seed is fresh: the holdout is the one that these trials were selected "
        "on, so part of the optimism may remain. Nothing was selected on the test split, and "
        "app-study confirm --vary-data splits the data anew."
    )


def _effect(result: MethodDifference, arm: Arm) -> str:
    return with_sign(result.estimate, arm.metric, result.interval()) + _zero(result.interval())


def _zero(interval: Interval | None) -> str:
    return ", an interval that includes 0" if _includes_zero(interval) else ""


def _includes_zero(interval: Interval | None) -> bool:
    return interval is not None and 0.0 in interval


def _quantity(value: float, interval: Interval | None, metric: str) -> str:
    clipped = span(interval, metric)
    if not isinstance(clipped, tuple):
        return quantity(value, metric)
    low, high = clipped
    is_fraction = METRICS[metric].is_fraction
    inside = bounds(Interval(low, high)) if is_fraction else f"[{low:.4g}, {high:.4g}]"
    return f"{quantity(value, metric)} {inside}"
