"""Verdicts about confirmed configurations, in sentences."""

from collections.abc import Sequence

from analysis.comparison.confirmed_verdicts import FixedSequence, Judged
from analysis.comparison.dense_baseline import num_megabatches
from analysis.presentation.against_dense import share_kept
from analysis.presentation.bounded import bounded
from analysis.presentation.deployed import brings
from analysis.statistics.verdicts import FEWEST_EXAMPLES, Judgement
from analysis.wording import listing, margin_words, percent
from study.text import count

_ERRORS = (("service error", "service_error"), ("final error", "final_error"))


def verdict_sentences(found: Sequence[FixedSequence], study: str) -> list[str]:
    """Which confirmed configuration is the smallest (or fastest) as good as dense; what is open.

    Args:
        found: By T.
        study: Whose trials were confirmed, for the remedy.
    """
    return [line for tested in found for line in _of_length(tested, study)]


def _of_length(tested: FixedSequence, study: str) -> list[str]:
    known = [one for one in tested.judged if one.judgement is not None]
    if not known:
        return _too_few_examples(tested)
    failed = [one for one in known if not _is_as_good(one)]
    lines = [_opening(tested, known)]
    if len(known) > 1:
        lines += [_one(one) for one in failed]
    remedy = _remedy([j for one in failed if (j := one.judgement) and j.obstacle], known[0], study)
    return [*lines, *remedy]


def _too_few_examples(tested: FixedSequence) -> list[str]:
    num_examples = max((one.num_examples for one in tested.judged), default=0)
    if not 0 < num_examples < FEWEST_EXAMPLES:
        return []
    return [
        f"No verdict at T = {tested.num_megabatches}: {count(num_examples, 'holdout example')} "
        f"cannot tell what others would give. Keep more, hundreds for a verdict "
        f"(data.holdout_fraction)."
    ]


def _opening(tested: FixedSequence, known: Sequence[Judged]) -> str:
    """The smallest that is as good, or the only one that was asked; else that none is."""
    named = tested.smallest or (known[0] if len(known) == 1 else None)
    first = (named or known[0]).judgement
    assert first is not None
    margin = margin_words(first.margin)
    evidence = (
        f"over {count(max(_num_seeds(one) for one in known), 'fresh seed')} on "
        f"{first.num_examples:,} holdout examples"
    )
    if named is not None:
        how, word = {
            "better": ("Confirmed: ", "are better than"),
            "as_good": ("Confirmed: ", "are as good as"),
            "worse": ("Not confirmed: ", "are worse than"),
            "undecided": ("Undecided: whether ", "are as good as"),
        }[first.verdict]
        return (
            f"{how}{share_kept(named.arm.first)} {word} dense"
            f"{_brings(named, ' and ') if first.verdict != 'undecided' else ''} "
            f"({named.arm.name}): {_errors(named)}. The margin is {margin}; {evidence}."
            f"{_brings(named, ' They ', '.') if first.verdict == 'undecided' else ''}"
        )
    if all(one.judgement and one.judgement.verdict == "worse" for one in known):
        return (
            f"Not confirmed: none of {len(known)} pruned networks is as good as dense at "
            f"T = {tested.num_megabatches}, at a margin of {margin}, {evidence}."
        )
    return (
        f"Undecided: whether a pruned network is as good as dense at T = "
        f"{tested.num_megabatches}. None is shown to be, at a margin of {margin}, {evidence}."
    )


def _one(one: Judged) -> str:
    judgement = one.judgement
    assert judgement is not None
    how = "worse than dense" if judgement.verdict == "worse" else "undecided"
    if one.course is not None and one.course.ending == "behind":
        how = "not followed further, since a larger one is not as good"
    made = f"{one.arm.first['method']}, T = {num_megabatches(one.arm.first)}"
    return (
        f"With {share_kept(one.arm.first)} ({made}, trial {one.arm.number}) it is {how}: "
        f"{_errors(one)}.{_brings(one, ' They ', '.')}"
    )


def _brings(one: Judged, before: str, after: str = "") -> str:
    """What it brings beside the errors, where that was measured."""
    found = brings(one.arm.trials, one.dense.trials)
    return f"{before}{found}{after}" if found else ""


def _remedy(judgements: Sequence[Judgement], first: Judged, study: str) -> list[str]:
    """What would settle those that are undecided, said once."""
    if not judgements:
        return []
    if all(judgement.obstacle == "examples" for judgement in judgements):
        needed = max(judgement.examples_needed() for judgement in judgements)
        return [
            f"More seeds cannot settle that: it takes about {needed:,} holdout examples "
            f"(data.holdout_fraction), or a larger objective.margin."
        ]
    if first.course is not None:
        return [
            "All looks are taken: more holdout examples (data.holdout_fraction) or a larger "
            "objective.margin would settle it."
        ]
    return [
        f"More seeds may settle that, in a confirmation with 5 % of its own: app-study confirm "
        f"{study} --name {study}-confirm-2 --until decided"
    ]


def _errors(one: Judged) -> str:
    """``service error 8.3 % against 7.9 % (+0.4 points, at most +0.9), final error …``."""
    judgement = one.judgement
    assert judgement is not None
    differences = judgement.service, judgement.final
    return listing(
        [
            f"{name} {' against '.join(map(percent, one.errors(metric)))} "
            f"({bounded(difference, judgement)})"
            for (name, metric), difference in zip(_ERRORS, differences, strict=True)
        ]
    )


def _num_seeds(one: Judged) -> int:
    return one.judgement.num_seeds if one.judgement else 0


def _is_as_good(one: Judged) -> bool:
    return one.judgement is not None and one.judgement.is_as_good
