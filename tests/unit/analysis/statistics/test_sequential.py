"""All looks together spend the level, and a verdict that was reached stays."""

import numpy as np
import pytest
from scipy.stats import norm

from analysis.statistics.losses import Losses
from analysis.statistics.sequential import LOOKS, follow, follow_in_order, look_levels


def _alike(losses: np.ndarray) -> Losses:
    return Losses(losses, losses)


def _draw(rng: np.random.Generator, *, shift: float, examples: int) -> tuple[Losses, Losses]:
    bears = rng.random(examples) < 0.1
    chance = np.where(rng.random(examples) < 0.1, 0.4, 0.02)
    a = rng.random((max(LOOKS), examples)) < np.clip(chance + bears * 10 * shift, 0, 1)
    b = rng.random((max(LOOKS), examples)) < chance
    return _alike(a.astype(float)), _alike(b.astype(float))


def test_one_look_has_the_whole_level() -> None:
    assert look_levels((8,), 0.05) == pytest.approx((0.05,))


@pytest.mark.parametrize("level", [0.05, 0.025])
def test_the_looks_spend_the_level_together_and_no_more(level: float) -> None:
    rng = np.random.default_rng(0)
    sums = rng.standard_normal((100_000, max(LOOKS))).cumsum(axis=1)
    crossed = np.zeros(len(sums), dtype=bool)
    for look, spent in zip(LOOKS, look_levels(LOOKS, level), strict=True):
        crossed |= sums[:, look - 1] / look**0.5 > norm.isf(spent)
    assert crossed.mean() == pytest.approx(level, abs=0.003)


def test_no_look_has_more_than_the_whole() -> None:
    assert all(0 < spent < 0.05 for spent in look_levels(LOOKS, 0.05))


@pytest.mark.parametrize("looks", [(), (0, 4), (8, 6), (6, 6)])
def test_looks_that_do_not_rise_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="looks must rise"):
        look_levels(looks, 0.05)


def test_at_the_margin_any_look_says_as_good_in_at_most_five_percent() -> None:
    rng = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        judgement = follow(*_draw(rng, shift=0.02, examples=360), margin=0.02).judgement
        said += judgement is not None and judgement.is_as_good
    assert said <= 18  # 95 % of draws of 5 % of 200 are at most 15


def test_before_the_first_look_nothing_is_said() -> None:
    losses = _alike(np.zeros((5, 1000)))
    course = follow(losses, losses)
    assert (course.judgement, course.next_seeds, course.ending) == (None, 6, None)


def test_a_verdict_stays_whatever_later_seeds_say() -> None:
    zeros, turned = np.zeros((12, 2000)), np.zeros((12, 2000))
    turned[6:, :400] = 1
    first = follow(_alike(zeros[:6]), _alike(zeros[:6]))
    assert first.ending == "verdict"
    later = follow(_alike(turned), _alike(zeros))
    assert later.judgement is not None
    assert later.judgement == first.judgement


def test_an_undecided_look_asks_for_the_next_one() -> None:
    rng = np.random.default_rng(0)
    a, b = _draw(rng, shift=0.01, examples=1000)
    course = follow(a.first_seeds(6), b.first_seeds(6))
    assert course.next_seeds == 8
    assert course.ending is None
    assert course.judgement is not None
    assert course.judgement.verdict == "undecided"


def test_where_the_examples_alone_are_too_few_it_stops_at_once_and_says_how_many() -> None:
    losses = _alike(np.zeros((6, 72)))
    course = follow(losses, losses)
    assert (course.ending, course.next_seeds) == ("examples", None)
    assert course.judgement is not None
    assert course.judgement.examples_needed() > 270


def test_after_the_last_look_it_ends_undecided() -> None:
    rng = np.random.default_rng(3)
    a, b = _draw(rng, shift=0.01, examples=1000)
    course = follow(a, b, looks=(6,))
    assert course.next_seeds is None
    assert course.ending == "last_look"


def test_in_a_fixed_order_none_behind_the_first_that_fails_goes_on() -> None:
    rng = np.random.default_rng(0)
    good = _draw(rng, shift=0.0, examples=2000)
    bad = _draw(rng, shift=0.1, examples=2000)
    near = _draw(rng, shift=0.01, examples=2000)
    alone = follow(*near).judgement
    assert alone is not None
    assert alone.num_seeds > 6
    first, second, third = follow_in_order([good, bad, near])
    assert (first.ending, second.ending, third.ending) == ("verdict", "verdict", "behind")
    assert second.judgement is not None
    assert third.judgement is not None
    assert second.judgement.verdict == "worse"
    assert third.judgement.num_seeds == second.judgement.num_seeds
    assert third.next_seeds is None


@pytest.mark.parametrize("ran", [6, 8, 16, 24])
def test_seeds_of_later_looks_change_no_verdict_that_was_reached(ran: int) -> None:
    rng = np.random.default_rng(1)
    pairs = [_draw(rng, shift=shift, examples=360) for shift in (0.0, 0.02, 0.005)]
    early = follow_in_order([(a.first_seeds(ran), b.first_seeds(ran)) for a, b in pairs])
    late = follow_in_order(pairs)
    for before, after in zip(early, late, strict=True):
        if before.ending is not None:
            assert before == after


def test_it_stops_at_the_first_look_where_the_examples_forbid_a_verdict() -> None:
    rng = np.random.default_rng(2)
    wins = rng.random(72) < 0.3  # the same under every seed
    a, b = (np.tile(side.astype(float), (32, 1)) for side in (wins, rng.permutation(wins)))
    course = follow(_alike(a), _alike(b))
    assert course.ending == "examples"
    assert course.judgement is not None
    assert course.judgement.num_seeds == min(LOOKS)
    assert course.judgement.examples_needed() > 72
