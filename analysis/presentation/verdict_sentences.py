"""Verdicts about confirmed configurations, in sentences."""

from typing import TYPE_CHECKING

from analysis.comparison.confirmed_verdicts import FixedSequence, Judged
from analysis.presentation.against_dense import share_kept
from analysis.statistics.verdicts import Judgement, MeanDifference
from analysis.wording import listing, margin_words, points
from study.text import count

if TYPE_CHECKING:
    from collections.abc import Sequence


def verdict_sentences(found: "Sequence[FixedSequence]", study: str) -> list[str]:
    """Which confirmed configuration is the smallest that is as good as dense, and what is open.

    Args:
        found: By T.
        study: Whose trials were confirmed, for the remedy.
    """
    return [line for tested in found for line in _of_length(tested, study)]


def _of_length(tested: FixedSequence, study: str) -> list[str]:
    known = [one for one in tested.judged if one.judgement is not None]
    if not known:
        return []
    opening = _opening(tested, known)
    rest = [one for one in known if one is not tested.smallest]
    return [opening, *(_one(one, study) for one in rest if not _is_as_good(one))]


def _opening(tested: FixedSequence, known: "Sequence[Judged]") -> str:
    first = known[0].judgement
    assert first is not None
    margin = margin_words(first.margin)
    evidence = (
        f"{count(first.num_seeds, 'fresh seed')} and {first.num_examples:,} holdout examples"
    )
    if tested.smallest is None:
        return (
            f"At T = {tested.num_megabatches} no confirmed configuration is shown to be as good "
            f"as dense at a margin of {margin}, over {evidence}."
        )
    smallest, judgement = tested.smallest, tested.smallest.judgement
    assert judgement is not None
    word = "better than" if judgement.verdict == "better" else "as good as"
    return (
        f"The smallest confirmed configuration that is {word} dense at a margin of {margin}: "
        f"{smallest.arm.name}, {share_kept(smallest.arm.first)}, {_errors(judgement)}, over "
        f"{evidence}."
    )


def _one(one: Judged, study: str) -> str:
    judgement = one.judgement
    assert judgement is not None
    name = f"{one.arm.name}, {share_kept(one.arm.first)}"
    if judgement.verdict == "worse":
        return f"Worse than dense: {name}, {_errors(judgement)}."
    return f"Undecided: {name}, {_errors(judgement)}. {_remedy(judgement, study)}"


def _remedy(judgement: Judgement, study: str) -> str:
    if judgement.obstacle == "examples":
        return (
            f"More seeds cannot settle it: it takes about {judgement.examples_needed():,} holdout "
            f"examples (data.holdout_fraction), or a larger objective.margin."
        )
    return (
        f"More seeds may settle it, in a confirmation with 5 % of its own: app-study confirm "
        f"{study} --name {study}-confirm-2 --seeds {2 * judgement.num_seeds}"
    )


def _errors(judgement: Judgement) -> str:
    """``service error +0.3 points (at most +0.8), final error …``."""
    return listing(
        [
            f"{name} {_signed(difference)} (at most {_sign(difference.upper(judgement.level))})"
            for name, difference in (
                ("service error", judgement.service),
                ("final error", judgement.final),
            )
        ]
    )


def _signed(difference: MeanDifference) -> str:
    return _sign(difference.estimate)


def _sign(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{points(value)}"


def _is_as_good(one: Judged) -> bool:
    return one.judgement is not None and one.judgement.is_as_good
