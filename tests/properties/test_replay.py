import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from study.data.replay import (
    FullReplay,
    NoReplay,
    PreviousReplay,
    ReservoirReplay,
    uniform_priorities,
)
from study.data.stream import Megabatch
from study.training.training_plan import replayed


@st.composite
def arrivals(draw):
    sizes = draw(st.lists(st.integers(1, 20), min_size=1, max_size=8))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(sum(sizes))
    return np.split(order, np.cumsum(sizes)[:-1])


@given(arrivals())
def test_full_none_and_previous_are_all_the_last_and_the_last_two_parts(arrived):
    assert np.array_equal(FullReplay().select(arrived, seed=0), np.concatenate(arrived))
    assert np.array_equal(NoReplay().select(arrived, seed=0), arrived[-1])
    assert np.array_equal(PreviousReplay().select(arrived, seed=0), np.concatenate(arrived[-2:]))


@given(arrivals(), st.integers(1, 30), st.integers(0, 2**62))
def test_the_reservoir_is_exactly_full_of_the_past_and_the_newest_part_is_whole(
    arrived, capacity, seed
):
    chosen = ReservoirReplay(capacity).select(arrived, seed=seed)
    num_past = sum(len(part) for part in arrived[:-1])
    past = chosen[: len(chosen) - len(arrived[-1])]
    assert len(past) == min(capacity, num_past)
    assert len(np.unique(chosen)) == len(chosen)
    assert np.array_equal(chosen[len(past) :], arrived[-1])
    everything = np.concatenate(arrived).tolist()
    positions = [everything.index(example) for example in past]
    assert positions == sorted(positions)


@given(arrivals(), st.integers(1, 10), st.integers(0, 99))
def test_an_example_once_pushed_out_of_the_reservoir_never_returns(arrived, capacity, seed):
    policy = ReservoirReplay(capacity)
    gone: set[int] = set()
    for k in range(1, len(arrived) + 1):
        chosen = set(policy.select(arrived[:k], seed=seed).tolist())
        assert not chosen & gone
        gone |= set(np.concatenate(arrived[:k]).tolist()) - chosen


def test_the_reservoir_is_a_uniform_sample_of_the_past():
    num_past, capacity, num_seeds = 40, 10, 2000
    arrived = [np.arange(0, 25), np.arange(25, num_past), np.array([num_past])]
    counts = np.zeros(num_past)
    for seed in range(num_seeds):
        chosen = ReservoirReplay(capacity).select(arrived, seed=seed)
        counts[chosen[:-1]] += 1
    assert counts.sum() == num_seeds * capacity
    # Drawing k of n without replacement has (1 − k/n)·n/(n − 1) times a multinomial's variance.
    expected = num_seeds * capacity / num_past
    spread = (1 - capacity / num_past) * num_past / (num_past - 1)
    statistic = np.sum((counts - expected) ** 2) / expected / spread
    assert 0.01 < chi2.sf(statistic, num_past - 1) < 0.99


def test_two_examples_share_the_reservoir_as_often_as_independent_draws_would():
    arrived = [np.arange(10), np.array([10])]
    together = sum(
        {0, 1} <= set(ReservoirReplay(5).select(arrived, seed=seed).tolist())
        for seed in range(4000)
    )
    assert together / 4000 == pytest.approx(5 / 10 * 4 / 9, abs=0.03)


def test_priorities_are_uniform_and_all_different():
    priorities = uniform_priorities(np.arange(100_000), seed=7)
    assert len(np.unique(priorities)) == 100_000
    bins = np.bincount((priorities >> np.uint64(58)).astype(np.int64), minlength=64)
    assert chisquare(bins).pvalue > 0.01


def test_another_seed_gives_another_reservoir():
    arrived = [np.arange(200), np.arange(200, 210)]
    one = ReservoirReplay(20).select(arrived, seed=1)
    other = ReservoirReplay(20).select(arrived, seed=2)
    assert not np.array_equal(one, other)


def test_a_reservoir_without_room_is_refused_by_the_name_of_its_field():
    with pytest.raises(ValueError, match=r"^capacity must be at least 1"):
        ReservoirReplay(capacity=0)


@given(arrivals(), st.integers(1, 60), st.integers(0, 5), st.integers(0, 5))
def test_training_and_validation_share_the_reservoirs_capacity(arrived, capacity, seed, tenths):
    stream = [
        Megabatch(k, part[len(part) * tenths // 10 :], part[: len(part) * tenths // 10])
        for k, part in enumerate(arrived)
    ]
    train, validation = replayed(ReservoirReplay(capacity), stream, seed=seed)
    num_past = sum(map(len, arrived[:-1]))
    assert len(train) + len(validation) == min(capacity, num_past) + len(arrived[-1])
    assert set(train) <= {i for m in stream for i in m.train}
    assert set(validation) <= {i for m in stream for i in m.validation}
    assert set(stream[-1].train) <= set(train)


@given(arrivals(), st.integers(0, 5))
def test_other_policies_choose_training_and_validation_as_if_each_were_alone(arrived, tenths):
    stream = [
        Megabatch(k, part[len(part) * tenths // 10 :], part[: len(part) * tenths // 10])
        for k, part in enumerate(arrived)
    ]
    for policy in (FullReplay(), NoReplay(), PreviousReplay()):
        train, validation = replayed(policy, stream, seed=0)
        assert train.tolist() == policy.select([m.train for m in stream], seed=0).tolist()
        alone = policy.select([m.validation for m in stream], seed=0)
        assert validation.tolist() == alone.tolist()
