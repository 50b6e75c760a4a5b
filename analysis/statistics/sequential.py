"""Verdicts after each of a few looks at a growing number of seeds, at one level for them all."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.statistics.decidable import LEVEL, MARGIN
from analysis.statistics.losses import Losses
from analysis.statistics.verdicts import Judgement, judge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LOOKS = (6, 8, 12, 16, 24, 32)
Ending = Literal["verdict", "examples", "last_look", "behind"]

_CLEARLY = 1.5
_GRID_STEPS = 300
_REACH = 8.0  # standard errors


@functools.cache
def look_levels(looks: tuple[int, ...] = LOOKS, level: float = LEVEL) -> tuple[float, ...]:
    """The level at each look, such that they spend ``level`` together.

    After S of at most S_max pairs, level · (S/S_max)² is spent (Kim and DeMets 1987, "Design and
    analysis of group sequential tests based on the type I error spending rate function"), for
    the mean of independent pairs, whose estimates after S and S' of them correlate by √(S/S').
    Examples are the same at every look, so that they correlate more, and less is spent.

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
    levels: list[float] = []
    before, waiting = 0, None
    for look in looks:
        spent = level * (look**2 - before**2) / looks[-1] ** 2
        if waiting is None:
            bound = float(norm.isf(spent))
        else:
            step = functools.partial(waiting.crossing, (before / look) ** 0.5)
            bound = brentq(lambda z, step=step, spent=spent: step(z) - spent, 0.0, _REACH)
        waiting = _Waiting.after(waiting, (before / look) ** 0.5, bound)
        levels.append(float(norm.sf(bound)))
        before = look
    return tuple(levels)


@dataclass(frozen=True)
class _Waiting:
    """Standardised means that have crossed no bound yet, as masses on a grid.

    Armitage, McPherson and Rowe (1969): carried from look to look.
    """

    grid: "FloatArray"
    masses: "FloatArray"

    @classmethod
    def after(cls, earlier: "_Waiting | None", correlation: float, bound: float) -> "_Waiting":
        """Those that stay below the bound of a look, by those of the look before."""
        import numpy as np
        from scipy.stats import norm

        grid = np.linspace(-_REACH, bound, _GRID_STEPS)
        weights = np.full(_GRID_STEPS, grid[1] - grid[0])
        weights[[0, -1]] /= 2
        if earlier is None:
            return cls(grid, norm.pdf(grid) * weights)
        rest = (1 - correlation**2) ** 0.5
        steps = (grid[:, None] - correlation * earlier.grid[None, :]) / rest
        return cls(grid, (norm.pdf(steps) / rest @ earlier.masses) * weights)

    def crossing(self, correlation: float, bound: float) -> float:
        """The probability of crossing ``bound`` at the next look and none before it."""
        from scipy.stats import norm

        rest = (1 - correlation**2) ** 0.5
        return float(self.masses @ norm.sf((bound - correlation * self.grid) / rest))


@dataclass(frozen=True)
class Course:
    """Where a sequential comparison stands.

    Attributes:
        judgement: The first decided one, else that of the last look; None before the first look.
        next_seeds: Pairs of seeds, in all, at the next look; None where it has ended.
        ending: Why it has: a verdict; too few examples, whatever the seeds; no look is left; one
            before it in a fixed order has ended without being as good.
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
    judgement = None
    levels = look_levels(looks, level)
    for seeds, spent in zip(looks, levels, strict=True):
        if seeds > len(a.service):
            return Course(judgement, seeds, None)
        first_a, first_b = a.first_seeds(seeds), b.first_seeds(seeds)
        judgement = judge(first_a, first_b, margin=margin, level=spent)
        if judgement.verdict != "undecided":
            return Course(judgement, None, "verdict")
        # At the level of the largest look; what few seeds say of the examples is rough.
        if judgement.examples_needed(max(levels)) > _CLEARLY * judgement.num_examples:
            return Course(judgement, None, "examples")
    return Course(judgement, None, "last_look")


def follow_in_order(
    pairs: Sequence[tuple[Losses, Losses]],
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    looks: tuple[int, ...] = LOOKS,
) -> tuple[Course, ...]:
    """Candidates that are tested in a fixed order, all of them followed from look to look.

    Once one has ended without being as good none behind it goes on, since none of these can be
    called as good any more: seeds that they have beyond that look count for nothing.

    Args:
        pairs: Losses of each candidate and of its reference, in the order of the tests.
        margin: As in :func:`follow`.
        level: For each of them over all looks.
        looks: Pairs of seeds at each, rising.

    Returns:
        A course for each.
    """
    last = max(looks)
    made = []
    for a, b in pairs:
        sides = a.first_seeds(last), b.first_seeds(last)
        course = follow(*sides, margin=margin, level=level, looks=looks)
        if course.ending is None and last < max(looks):
            course = Course(course.judgement, None, "behind")
        if course.judgement and course.ending and not course.judgement.is_as_good:
            last = min(last, course.judgement.num_seeds)
        made.append(course)
    return tuple(made)
