"""Two computations timed in turns, so that whatever slows the machine down slows both alike."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]
MIN_ROUNDS = 6  # of fewer, no two are the ends of a 95 % interval
_CONFIDENCE = 0.95
_LEAST_CALL_S = 1e-7  # where a clock sees no time pass


@dataclass(frozen=True)
class Timing:
    """How long two computations are timed.

    Attributes:
        warm_up_s: Each runs so long, and at least twice, before anything counts.
        turn_s: A turn is as many calls as last about so long, one at least.
        limit_s: No round begins later, but for the first :data:`MIN_ROUNDS`.
        max_rounds: Of which there are no more.
    """

    warm_up_s: float = 0.1
    turn_s: float = 0.002
    limit_s: float = 2.0
    max_rounds: int = 200


@dataclass(frozen=True)
class Estimate:
    """A median, and the interval that holds the true one with 95 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class InTurns:
    """Seconds of a call of both computations, one value a round."""

    seconds: tuple[float, ...]
    reference_seconds: tuple[float, ...]

    @property
    def speedup(self) -> Estimate:
        """How many times as fast as the reference: over the rounds, the median of the ratio."""
        pairs = zip(self.reference_seconds, self.seconds, strict=True)
        return median_interval([reference / own for reference, own in pairs])


def time_in_turns(
    run: Callable[[], object],
    reference: Callable[[], object],
    timing: Timing,
    *,
    clock: Clock = time.perf_counter,
) -> InTurns:
    """Time ``run`` and ``reference`` in rounds of four turns: run, reference, reference, run.

    Both stand around the same moment in each round, so that a machine that becomes slower or
    faster at a constant rate leaves their ratio as it is, and each follows itself as often as it
    follows the other, so that caches favour neither.

    Args:
        run: What is measured; what it returns is dropped.
        reference: What it is compared with.
        timing: How long.
        clock: Seconds, never falling.
    """
    num_calls = _warm_up(run, timing, clock)
    num_reference_calls = _warm_up(reference, timing, clock)
    seconds: list[float] = []
    reference_seconds: list[float] = []
    ends = clock() + timing.limit_s
    while len(seconds) < MIN_ROUNDS or (len(seconds) < timing.max_rounds and clock() < ends):
        first = _turn(run, num_calls, clock)
        both = _turn(reference, num_reference_calls, clock)
        both += _turn(reference, num_reference_calls, clock)
        last = _turn(run, num_calls, clock)
        seconds.append(max((first + last) / (2 * num_calls), _LEAST_CALL_S))
        reference_seconds.append(max(both / (2 * num_reference_calls), _LEAST_CALL_S))
    return InTurns(tuple(seconds), tuple(reference_seconds))


def _warm_up(run: Callable[[], object], timing: Timing, clock: Clock) -> int:
    """Run until it is warm; how many calls are a turn, by the fastest of them."""
    calls: list[float] = []
    began = clock()
    while len(calls) < 2 or clock() - began < timing.warm_up_s:
        calls.append(_turn(run, 1, clock))
    return max(1, math.ceil(timing.turn_s / max(min(calls), _LEAST_CALL_S)))


def _turn(run: Callable[[], object], num_calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(num_calls):
        run()
    return clock() - began


def median_interval(values: Sequence[float]) -> Estimate:
    """The median, and the order statistics that hold the true one with at least 95 %.

    Whatever the distribution is: of n independent values, fewer than j lie below their true median
    with the probability that a fair coin shows fewer than j heads in n throws.

    Raises:
        ValueError: Fewer than :data:`MIN_ROUNDS` values, which have no such interval.
    """
    n, ordered = len(values), sorted(values)
    if n < MIN_ROUNDS:
        raise ValueError(f"{n} values have no 95 % interval of their median; {MIN_ROUNDS} have")
    depth, outside = 0, 1  # of 2^n equally probable outcomes: those with at most depth heads
    while 2 * outside <= (1 - _CONFIDENCE) * 2**n:
        depth += 1
        outside += math.comb(n, depth)
    return Estimate(statistics.median(ordered), ordered[depth - 1], ordered[n - depth])
