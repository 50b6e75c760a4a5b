"""Do 95 % intervals hold the truth in 95 % of draws, and does a 5 % test err in 5 %?

    python -m benchmarks.coverage

draws each situation 500 times from a distribution whose true value is known, and prints how often
the reports' own functions hold it. With 500 draws a coverage of 95 % is seen as 93 to 97 %.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.differences import MethodDifference
from analysis.statistics.ranks import concordance_interval, kendalls_w
from analysis.statistics.summary import Interval, mean_interval, wilson_interval
from analysis.statistics.turning import largest_turn

DRAWS = 500
Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]

DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed (gamma 2)": lambda rng, n: rng.gamma(2.0, size=n),
    "heavy tails (t3)": lambda rng, n: rng.standard_t(3, size=n),
}


@dataclass(frozen=True)
class Line:
    """One row of the output."""

    what: str
    situation: str
    share: float
    nominal: float


def holds(interval: Interval | None, truth: float) -> bool:
    """Whether an interval, which must be there, holds the truth."""
    assert interval is not None
    return truth in interval


def mean_differences(rng: np.random.Generator) -> Iterator[Line]:
    """The mean over configurations that differ in their level, by sign flips."""
    for strata, seeds in ((1, 6), (1, 10), (2, 3), (6, 3), (6, 5), (12, 3)):
        for name, draw in DISTRIBUTIONS.items():
            levels = np.linspace(0.0, 2.0, strata)
            truth = float(levels.mean()) + (2.0 if name.startswith("skewed") else 0.0)
            found = [
                MethodDifference(tuple(tuple(level + draw(rng, seeds)) for level in levels))
                for _ in range(DRAWS)
            ]
            hits = sum(holds(difference.interval(), truth) for difference in found)
            situation = f"{strata} configurations of {seeds} seeds, {name}"
            yield Line("mean difference", situation, hits / DRAWS, 0.95)


def means(rng: np.random.Generator) -> Iterator[Line]:
    """Student's interval, of the curves over seeds."""
    for seeds in (3, 5, 10):
        for name, draw in DISTRIBUTIONS.items():
            truth = 2.0 if name.startswith("skewed") else 0.0
            hits = sum(
                holds(mean_interval(draw(rng, seeds).tolist()), truth) for _ in range(DRAWS)
            )
            yield Line("mean over seeds", f"{seeds} seeds, {name}", hits / DRAWS, 0.95)


def rates(rng: np.random.Generator) -> Iterator[Line]:
    """Wilson's interval of an error rate."""
    for n, rate in ((144, 0.02), (360, 0.1), (5000, 0.3)):
        errors = rng.binomial(n, rate, size=DRAWS)
        hits = sum(rate in wilson_interval(k / n, n) for k in errors)
        yield Line("error rate", f"{rate:.0%} of {n} examples", hits / DRAWS, 0.95)


def ranks(rng: np.random.Generator) -> Iterator[Line]:
    """Kendall's W over configurations, on architectures that share part of their quality."""

    def scores(judges: int, items: int, noise: float) -> list[list[float]]:
        quality = rng.normal(size=items)
        return [(quality + noise * rng.normal(size=items)).tolist() for _ in range(judges)]

    for judges, items, noise in ((2, 9, 1.0), (2, 20, 0.5), (4, 9, 1.0), (4, 20, 0.5)):
        truth = kendalls_w(scores(judges, 200_000, noise))
        intervals = [concordance_interval(scores(judges, items, noise)) for _ in range(DRAWS)]
        given = [interval for interval in intervals if interval is not None]
        hits = sum(truth in interval for interval in given)
        situation = f"{judges} architectures, {items} configurations, W = {truth:.2f}"
        yield Line("Kendall's W", situation, hits / len(given), 0.95)


def tests(rng: np.random.Generator) -> Iterator[Line]:
    """How often a test at 5 % finds what is not there: at most so often."""
    for pairs in (6, 10, 20):
        for name in ("normal", "heavy tails (t3)"):
            draw = DISTRIBUTIONS[name]
            hits = sum(MethodDifference((tuple(draw(rng, pairs)),)).p < 0.05 for _ in range(DRAWS))
            yield Line("sign-flip false alarms", f"{pairs} pairs, {name}", hits / DRAWS, 0.05)
    shapes = {"flat": np.zeros(8), "rising": np.arange(8.0), "rising, then level": np.minimum(
        np.arange(8.0), 4.0
    )}  # fmt: skip
    for name, shape in shapes.items():
        for seeds in (3, 5):
            found = [
                largest_turn((shape + rng.normal(size=(seeds, 8))).tolist()) for _ in range(DRAWS)
            ]
            hits = sum(turn is not None and turn.p < 0.05 for turn in found)
            yield Line("turn false alarms", f"{name}, {seeds} seeds", hits / DRAWS, 0.05)


def main() -> None:
    """Print a line a situation."""
    rng = np.random.default_rng(0)
    for made in (mean_differences, means, rates, ranks, tests):
        for line in made(rng):
            sys.stdout.write(
                f"{line.what:26}{line.situation:58}{line.share:7.1%}  of {line.nominal:.0%}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
