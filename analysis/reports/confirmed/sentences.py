"""What a confirming study says, in sentences."""

from typing import TYPE_CHECKING

from analysis.comparison.comparisons import judged
from analysis.comparison.confirmed_verdicts import judged_by, sequences
from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.fresh_seeds import Arm, Confirmation, confirmation, confirming
from analysis.presentation.against_dense import share_kept
from analysis.presentation.method_differences import Standard, comparison_sentence, with_sign
from analysis.presentation.tables import span
from analysis.presentation.verdict_sentences import verdict_sentences
from analysis.statistics.differences import MethodDifference
from analysis.statistics.summary import Interval
from analysis.wording import bounds, label, listing, quantity
from study.comparisons import matter_to
from study.metrics import METRICS
from study.text import count
from study.tracking import names

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
    """What fresh seeds say of the best: verdicts against dense, else figures."""
    return [line for study in confirming(runs) for line in _said(study)]


def judged_trials(runs: "Runs") -> frozenset[int]:
    """Numbers of the trials of the search whose configurations were judged."""
    found = [judged_by(study, confirmation(study)) for study in confirming(runs)]
    return frozenset().union(*found)


def _said(study: "Runs") -> list[str]:
    found = confirmation(study)
    with_verdict = judged_by(study, found)
    verdicts = verdict_sentences(sequences(study, found), study.study.confirms)
    return verdicts + _figures(
        [arm for arm in found.chosen if arm.number not in with_verdict], found
    )


def optimism_sentences(runs: "Runs") -> list[str]:
    """That the figures of a search, unlike those of fresh seeds, are of winners."""
    if not runs.searched_for:
        return []
    if confirmed_sentences(runs):
        return [
            "What follows are figures of the search, which are optimistic: the best trials were "
            "chosen by them."
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


def _figures(arms: list[Arm], found: Confirmation) -> list[str]:
    """A sentence each arm, with its differences to its baselines."""
    sentences = []
    for arm in arms:
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
    """Verdicts, the optimism of the search, and each trial against its baselines.

    The figures of what was judged are in its verdicts, its table and its picture.
    """
    if not found.chosen:
        return [
            f"The study {found.runs.study.name} confirms trials of {found.runs.study.confirms} "
            f"with fresh seeds; none of them has finished yet."
        ]
    with_verdict = judged_by(found.runs, found)
    sentences = verdict_sentences(sequences(found.runs, found), found.runs.study.confirms)
    sentences += [arm_sentence(arm) for arm in found.chosen if arm.number not in with_verdict]
    if found.optimism is not None and len(found.chosen) > 1:
        sentences.append(
            f"Optimism of the search over these {len(found.chosen)} trials: "
            f"{_effect(found.optimism, found.chosen[0])}."
        )
    study = found.runs.study
    standard = Standard.of(study, found.metric, len(found.comparisons))
    with_own = {arm.name for arm in found.chosen if arm.number in with_verdict}
    sentences += [
        comparison_sentence(comparison, finding, standard)
        for comparison, finding in judged(found.comparisons, study, found.metric)
        if comparison.a not in with_own or comparison.b != DENSE  # its verdict says more
    ]
    if found.num_unequal:
        verb = "is" if found.num_unequal == 1 else "are"
        sentences.append(
            f"{count(found.num_unequal, 'pair')} of trials {verb} left out: pruned to different "
            f"densities, or with neither equal examples nor equal FLOPs."
        )
    return [*sentences, *_settings_sentences(found), _split_sentence(found)]


def _settings_sentences(found: Confirmation) -> list[str]:
    """Whose settings the baselines had."""
    tuned = [
        path for path in found.runs.study.params.get(names.PARAM_TUNED, "").split(",") if path
    ]
    mere = [
        arm
        for arm in found.arms
        if arm.number is None and (not tuned or matter_to(str(arm.first["method"]), tuned))
    ]
    own = [f"{arm.name} (trial {arm.settings_of})" for arm in mere if arm.settings_of is not None]
    others = [arm.name for arm in mere if arm.settings_of is None]
    sentences = []
    if own:
        sentences.append(
            f"Run with the settings in which the search had found them best: {listing(own)}."
        )
    if own and others:
        sentences.append(
            f"Not tuned by the search, and run with the settings of what they are compared with: "
            f"{listing(others)}."
        )
    if others and not own and tuned:
        sentences.append(
            f"The search had tuned {listing(tuned)} for these trials and not for "
            f"{listing(others)}, run with the settings of what they are compared with."
        )
    return sentences


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
