"""Is one network or configuration as good as another, better or worse, by a margin?

Two sides are compared on the same examples, and configurations on the same seeds too. Pure, on
arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from analysis.statistics.decidable import LEVEL, MARGIN, examples_needed
from analysis.statistics.losses import Losses
from analysis.statistics.mean_difference import MeanDifference, mean_difference

Verdict = Literal["as_good", "better", "worse", "undecided"]
Subject = Literal["configuration", "network"]
Obstacle = Literal["seeds", "examples", "variation"]

# The fewest pairs of seeds that could agree by chance in less than 5 % (a sign test: 1/32).
FEWEST_SEEDS = 5
# The fewest whose differences vary, so that what other examples would give can be told.
FEWEST_EXAMPLES = 2


@dataclass(frozen=True)
class Judgement:
    """What may be said of a against b.

    Attributes:
        about: Whether it is about the configuration or about this one network.
        margin: How much worse is still as good, as a fraction of examples.
        level: Of each verdict's error, if it is false.
        service: The difference in service error.
        final: The difference in final error.
        num_seeds: Pairs; 1 for one network.
        num_examples: On which both sides were judged.
    """

    about: Subject
    margin: float
    level: float
    service: MeanDifference
    final: MeanDifference
    num_seeds: int
    num_examples: int

    @cached_property
    def verdict(self) -> Verdict:
        """*Better* and *as good* must hold in both errors, *worse* in one, at half the level."""
        if self._too_few_seeds:
            return "undecided"
        upper = max(difference.upper(self.level) for difference in self._both)
        if upper < 0:
            return "better"
        if upper < self.margin:
            return "as_good"
        lower = max(difference.lower(self.level / 2) for difference in self._both)
        return "worse" if lower > self.margin else "undecided"

    @property
    def is_as_good(self) -> bool:
        """As good or better."""
        return self.verdict in ("as_good", "better")

    @property
    def obstacle(self) -> Obstacle | None:
        """What leaves it undecided; None where it is decided.

        Too few seeds to say anything; too few examples, whatever the seeds; or that what there is
        varies too much, so that more of either may help.
        """
        if self.verdict != "undecided":
            return None
        if self._too_few_seeds:
            return "seeds"
        return "examples" if self.examples_needed() > self.num_examples else "variation"

    def examples_needed(self, level: float | None = None) -> int:
        """Examples that it takes to call equal sides as good under unlimited seeds.

        Args:
            level: Of the test; None for the judgement's own.
        """
        return max(
            examples_needed(
                difference.example_variance * self.num_examples,
                jump=difference.settled_jump,
                margin=self.margin,
                level=self.level if level is None else level,
            )
            for difference in self._both
        )

    @property
    def _both(self) -> Sequence[MeanDifference]:
        return self.service, self.final

    @property
    def _too_few_seeds(self) -> bool:
        return self.about == "configuration" and self.num_seeds < FEWEST_SEEDS


def judge(a: Losses, b: Losses, *, margin: float = MARGIN, level: float = LEVEL) -> Judgement:
    """Compare a with b on the same examples and, of configurations, under the same seeds.

    Args:
        a: The side that is spoken of.
        b: The reference.
        margin: Above 0, as a fraction of examples: 0.01 is one point of error.
        level: How often a verdict may be false, in (0, 0.5).

    Raises:
        ValueError: The shapes differ, or margin or level is out of range.
    """
    if a.service.shape != b.service.shape:
        raise ValueError(
            f"both sides must have the same seeds and examples, got {list(a.service.shape)} and "
            f"{list(b.service.shape)}"
        )
    if not 0 < margin < 1 or not 0 < level < 0.5:
        raise ValueError(
            f"margin must be in (0, 1) and level in (0, 0.5), got {margin} and {level}; a margin "
            f"of one point is 0.01"
        )
    is_network = a.service.ndim == 1
    return Judgement(
        about="network" if is_network else "configuration",
        margin=margin,
        level=level,
        service=mean_difference(a.service - b.service),
        final=mean_difference(a.final - b.final),
        num_seeds=1 if is_network else len(a.service),
        num_examples=a.service.shape[-1],
    )


def smallest_as_good(judgements: Sequence[Judgement]) -> int | None:
    """The index of the smallest network that is as good as the reference.

    Fixed-sequence testing: in the order given, from the largest density to the smallest, up to
    the first that is not shown to be as good. So the chance that the one named is not keeps the
    level of a single test, if order and candidates were fixed before anything was judged.

    Returns:
        None where the first is not.
    """
    found = None
    for index, judgement in enumerate(judgements):
        if not judgement.is_as_good:
            break
        found = index
    return found
