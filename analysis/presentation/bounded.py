"""A judged difference with its bound, in words."""

from analysis.statistics.mean_difference import MeanDifference
from analysis.statistics.verdicts import Judgement


def bounded(difference: MeanDifference, judgement: Judgement) -> str:
    """``+0.4 points, at most +0.9``; of one that is worse the other bound."""
    if judgement.verdict == "worse":
        bound = f"at least {_sign(difference.lower(judgement.level / 2))}"
    else:
        bound = f"at most {_sign(difference.upper(judgement.level))}"
    return f"{_sign(difference.estimate)} points, {bound}"


def _sign(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{100 * abs(value):.1f}"
