"""Verdicts after each of a few looks at a growing number of seeds, at one level for them all."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.statistics.verdicts import LEVEL, MARGIN, Judgement, Losses, judge

LOOKS = (6, 8, 12, 16, 24, 32)
Ending = Literal["verdict", "examples", "last_look"]

_GRID_STEPS = 400
_GRID_REACH = 8.0


@functools.cache
def look_level(looks: tuple[int, ...] = LOOKS, level: float = LEVEL) -> float:
    """The level at each look, the same at all, that spends ``level`` over them (Pocock 1977).

    For the mean of independent pairs, whose estimates after S and S' of them correlate by
    √(S/S'). Where the examples are the same at every look they correlate more, and less is spent.

    Args:
        looks: Pairs of seeds at each look, rising.
        level: In all, one-sided, in (0, 0.5).

    Raises:
        ValueError: The looks do not rise from at least 1.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if not looks or looks[0] < 1 or list(looks) != sorted(set(looks)):
        raise ValueError(f"looks must rise from at least 1, got {list(looks)}")
    if len(looks) == 1:
        return level
    bound = brentq(lambda z: _crossing(looks, z) - level, norm.isf(level), 5.0, xtol=1e-6)
    return float(norm.sf(bound))


def _crossing(looks: Sequence[int], bound: float) -> float:
    """The probability that a standardised mean is above ``bound`` at one of the looks.

    Armitage, McPherson and Rowe (1969): the density of those that have not crossed yet is carried
    from look to look.
    """
    import numpy as np
    from scipy.stats import norm

    grid = np.linspace(-_GRID_REACH, bound, _GRID_STEPS)
    step = grid[1] - grid[0]
    weights = np.full(_GRID_STEPS, step)
    weights[[0, -1]] /= 2
    density = norm.pdf(grid)
    crossed = float(norm.sf(bound))
    for before, now in itertools.pairwise(looks):
        correlation = (before / now) ** 0.5
        rest = (1 - correlation**2) ** 0.5
        staying = density * weights
        crossed += float(staying @ norm.sf((bound - correlation * grid) / rest))
        moved = norm.pdf((grid[:, None] - correlation * grid[None, :]) / rest) / rest
        density = moved @ staying
    return crossed


@dataclass(frozen=True)
class Course:
    """Where a sequential comparison stands.

    Attributes:
        judgement: The first decided one, else that of the last look; None before the first look.
        next_seeds: Pairs of seeds, in all, at the next look; None where it has ended.
        ending: Why it has: a verdict; too few examples, whatever the seeds; no look is left.
    """

    judgement: Judgement | None
    next_seeds: int | None
    ending: Ending | None


def follow(
    a: Losses,
    b: Losses,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    looks: tuple[int, ...] = LOOKS,
) -> Course:
    """Look after each of ``looks`` pairs of seeds, in their order, until a verdict is reached.

    A function of the seeds so far: who asks again with more of them gets the same verdict where
    there was one, whatever the later seeds say.

    Args:
        a: Losses ``[seeds, n]``, the seeds in the order in which they were run.
        b: Those of the reference, under the same seeds.
        margin: As in :func:`~analysis.statistics.verdicts.judge`.
        level: Over all looks together.
        looks: Pairs of seeds at each, rising.
    """
    at_each = look_level(looks, level)
    judgement = None
    for seeds in looks:
        if seeds > len(a.service):
            return Course(judgement, seeds, None)
        first_a, first_b = a.first_seeds(seeds), b.first_seeds(seeds)
        judgement = judge(first_a, first_b, margin=margin, level=at_each)
        if judgement.verdict != "undecided":
            return Course(judgement, None, "verdict")
        if judgement.obstacle == "examples":
            return Course(judgement, None, "examples")
    return Course(judgement, None, "last_look")
