"""What several comparisons show together, and how often anything of it is false."""

from collections.abc import Sequence

import numpy as np
import pytest

from analysis.statistics.differences import MethodDifference
from analysis.statistics.multiple import Finding, holm, judge_differences
from study.comparisons import pairs_needed

MARGIN = 0.01


def _around(mean: float, num: int = 12, spread: float = 0.002) -> MethodDifference:
    return MethodDifference((tuple(mean + np.linspace(-spread, spread, num)),))


def _judged(*differences: MethodDifference) -> list[Finding]:
    return judge_differences(differences, [MARGIN] * len(differences))[0]


def test_holms_p_is_that_of_the_worked_example() -> None:
    # By hand: 4 · 0.005 = 0.02, 3 · 0.01 = 0.03, 2 · 0.03 = 0.06, then 0.04 is raised to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("mean", "verdict", "shown"),
    [
        (-0.02, "better", "lower"),
        (0.0, "as_good", None),
        (0.005, "as_good", "higher"),
        (0.03, "worse", "higher"),
    ],
)
def test_a_verdict_is_by_the_side_of_zero_and_of_the_margin(
    mean: float, verdict: str, shown: str | None
) -> None:
    (finding,) = _judged(_around(mean))
    assert (finding.verdict, finding.shown) == (verdict, shown)


def test_worse_by_less_than_can_be_told_from_the_margin_is_undecided() -> None:
    (finding,) = _judged(_around(0.01, spread=0.009))
    assert (finding.verdict, finding.shown) == ("undecided", "higher")


def test_one_seed_of_five_that_passes_makes_nothing_as_good() -> None:
    # Three points worse in truth, and one seed within a dense run's interval.
    (finding,) = _judged(MethodDifference(((0.031, 0.034, -0.002, 0.029, 0.033),)))
    assert finding.verdict == "undecided"
    more = MethodDifference((tuple([0.031, 0.034, -0.002, 0.029, 0.033] * 3),))
    assert _judged(more)[0].verdict == "worse"


def test_two_pairs_of_one_example_each_give_no_verdict() -> None:
    (finding,) = _judged(MethodDifference(((-1 / 360, -1 / 360),)))
    assert (finding.verdict, finding.shown) == ("undecided", None)


def test_nine_configurations_of_which_one_is_far_out_are_told_by_their_mean_or_one_by_one() -> (
    None
):
    # Mean −0.45 points; without the outermost quarters it was +0.17.
    rest = (9 * -0.0045 + 0.0595) / 8
    noise = np.random.default_rng(0).normal(0, 0.003, (9, 3))
    noise -= noise.mean(axis=1, keepdims=True)
    levels = np.array([-0.0595, *[rest] * 8])
    difference = MethodDifference(tuple(map(tuple, levels[:, None] + noise)))
    assert difference.estimate == pytest.approx(-0.0045)
    assert difference.interaction_p is not None
    assert difference.interaction_p < 0.01
    assert _judged(difference)[0].verdict == "not_pooled"


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (3, 7), (7, 9)])
def test_fewer_pairs_than_can_decide_do_not(comparisons: int, pairs: int) -> None:
    assert pairs_needed(comparisons) == pairs
    values = np.linspace(0.5, 1.0, pairs)
    all_alike = [MethodDifference((tuple(values),))] * comparisons
    one_less = [MethodDifference((tuple(values[1:]),))] * comparisons
    assert {f.verdict for f in _judged(*all_alike)} == {"worse"}
    assert {f.verdict for f in _judged(*one_less)} == {"undecided"}


def test_other_tests_share_the_five_percent() -> None:
    values = MethodDifference((tuple(np.linspace(0.5, 1.0, 6)),))
    alone, _ = judge_differences([values], [0.0])
    shared, adjusted = judge_differences([values], [0.0], others=[0.02])
    assert (alone[0].verdict, shared[0].verdict) == ("worse", "undecided")
    assert adjusted == [0.04]
    assert judge_differences([], [], others=[0.5]) == ([], [0.5])
    assert judge_differences([], []) == ([], [])


def _share_with_a_false_finding(means: Sequence[float], *, studies: int = 300) -> float:
    """Of studies that compare several methods with one: ten seeds that all comparisons share."""
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(studies):
        reference = rng.normal(0, 0.005, 10)
        differences = [
            MethodDifference((tuple(mean + rng.normal(0, 0.005, 10) - reference),))
            for mean in means
        ]
        false += any(
            _is_false(finding, mean)
            for finding, mean in zip(_judged(*differences), means, strict=True)
        )
    return false / studies


def _is_false(finding: Finding, truth: float) -> bool:
    return (
        (finding.shown == "lower" and truth >= 0)
        or (finding.shown == "higher" and truth <= 0)
        or (finding.verdict == "as_good" and truth >= MARGIN)
        or (finding.verdict == "worse" and truth <= MARGIN)
    )


@pytest.mark.parametrize(
    "means",
    [(0.0,) * 6, (MARGIN,) * 6, (0.0, 0.0, 0.0, MARGIN, MARGIN, MARGIN), (-0.05, -0.05, 0.0)],
)
def test_anything_false_is_said_in_at_most_five_percent_of_studies(
    means: tuple[float, ...],
) -> None:
    # 5 %, and what 300 studies may be above it by chance (two standard errors).
    assert _share_with_a_false_finding(means) <= 0.075


def test_without_holm_it_would_be_more() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(200):
        alone = [MethodDifference((tuple(rng.normal(0, 0.005, 10)),)) for _ in range(6)]
        false += any(_judged(difference)[0].shown is not None for difference in alone)
    assert false / 200 > 0.15
