"""The laws of timing in turns, on machines whose clocks are simulated."""

import math
import random
import statistics
from collections.abc import Callable

import pytest

from study.measurement.interleaved import (
    MIN_ROUNDS,
    InTurns,
    Timing,
    median_interval,
    time_in_turns,
)

TIMING = Timing(warm_up_s=0.1, turn_s=0.002, limit_s=2.0, max_rounds=60)


class Machine:
    """A clock that only work moves; ``slowness`` is a factor by the time that has passed."""

    def __init__(self, slowness: Callable[[float], float] = lambda _: 1.0) -> None:
        self.now = 0.0
        self.slowness = slowness
        self.calls: list[str] = []

    def clock(self) -> float:
        return self.now

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.calls.append(name)
            self.now += seconds * self.slowness(self.now)

        return run

    def measure(self, seconds: float, reference: float, timing: Timing = TIMING) -> InTurns:
        one, other = self.work("a", seconds), self.work("b", reference)
        return time_in_turns(one, other, timing, clock=self.clock)


def test_after_the_warm_up_both_take_turns_and_each_follows_itself_as_often_as_the_other() -> None:
    machine = Machine()
    machine.measure(0.5, 0.5, Timing(warm_up_s=0.0))
    assert "".join(machine.calls) == "aabb" + "abba" * MIN_ROUNDS


def test_what_is_slow_until_it_is_warm_is_not_counted() -> None:
    machine = Machine()
    calls = {"a": 0, "b": 0}

    def cold(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            calls[name] += 1
            machine.now += seconds * (100 if calls[name] <= 2 else 1)

        return run

    found = time_in_turns(cold("a", 0.01), cold("b", 0.02), TIMING, clock=machine.clock)
    assert max(found.seconds) == pytest.approx(0.01)
    assert found.speedup.median == pytest.approx(2.0)


def test_a_turn_of_short_calls_is_as_many_as_last_and_their_mean_counts() -> None:
    machine = Machine()
    found = machine.measure(1e-5, 4e-5, Timing(warm_up_s=0.0, max_rounds=7))
    assert machine.calls.count("a") == 2 + 7 * 2 * 200
    assert machine.calls.count("b") == 2 + 7 * 2 * 50
    assert found.speedup.median == pytest.approx(4.0)
    assert statistics.median(found.seconds) == pytest.approx(1e-5)


def test_rounds_end_with_their_number_or_the_time_but_six_there_always_are() -> None:
    assert len(Machine().measure(0.001, 0.001).seconds) == 60
    assert len(Machine().measure(0.05, 0.05).seconds) == 10
    assert len(Machine().measure(3.0, 3.0).seconds) == MIN_ROUNDS


@pytest.mark.parametrize("rate", [0.5, -0.05])
def test_a_machine_that_drifts_leaves_the_ratio_as_it_is(rate: float) -> None:
    drifting = Machine(lambda now: 1.0 + rate * now)
    found = drifting.measure(0.01, 0.02)
    assert found.speedup.median == pytest.approx(2.0, rel=0.01)
    # One after the other, the same machine would be wrong by far.
    naive = Machine(lambda now: 1.0 + rate * now)
    one_by_one = []
    for seconds in (0.01, 0.02):
        began = naive.now
        for _ in range(60):
            naive.work("x", seconds)()
        one_by_one.append(naive.now - began)
    assert abs(one_by_one[1] / one_by_one[0] - 2.0) > 0.05


def test_a_machine_that_is_half_as_fast_from_some_moment_on_troubles_both_alike() -> None:
    found = Machine(lambda now: 1.0 if now < 1.3 else 2.0).measure(0.01, 0.03)
    assert max(found.seconds) > 1.9 * min(found.seconds)
    assert found.speedup.median == pytest.approx(3.0)
    assert found.speedup.high - found.speedup.low < 0.1


def test_the_interval_covers_the_true_ratio_in_noise_of_heavy_tails() -> None:
    draw = random.Random(3)
    num_held, num_studies = 0, 400
    for _ in range(num_studies):
        machine = Machine(lambda _: math.exp(draw.gauss(0, 0.1)) + (draw.random() < 0.05) * 3)
        speedup = machine.measure(0.004, 0.01, Timing(warm_up_s=0.0, max_rounds=20)).speedup
        num_held += speedup.low <= 2.5 <= speedup.high
    assert num_held / num_studies > 0.93


def test_the_interval_is_that_of_the_binomial_distribution() -> None:
    # Of six the ends: 1 − 2/64 = 96.9 %. Of 20 the 6th and 15th: 95.9 % (the 7th: 88.5 %).
    assert median_interval([3, 1, 2, 6, 5, 4]).low == 1
    assert median_interval([3, 1, 2, 6, 5, 4]).high == 6
    twenty = median_interval(range(1, 21))
    assert (twenty.low, twenty.median, twenty.high) == (6, 10.5, 15)
    with pytest.raises(ValueError, match="5 values have no 95 % interval"):
        median_interval([1.0] * 5)


def test_a_clock_that_stands_still_gives_a_ratio_of_one_and_no_error() -> None:
    assert Machine().measure(0.0, 0.0, Timing(warm_up_s=0.0, max_rounds=6)).speedup.median == 1.0
