"""Is one network or configuration as good as another, better or worse, by a margin?

Two sides are compared on the same examples, and configurations on the same seeds too. Seeds and
examples are crossed, as readers and cases are in studies of readers, and so is the variance.
Pure, on arrays.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

Verdict = Literal["as_good", "better", "worse", "undecided"]
Subject = Literal["configuration", "network"]
Obstacle = Literal["seeds", "examples", "variation"]

MARGIN = 0.01
LEVEL = 0.05
# The fewest pairs of seeds that could agree by chance in less than 5 % (a sign test: 1/32).
FEWEST_SEEDS = 5


def service_losses(
    wrong: "BoolArray", *, chance_error: float, service_after: float = 1.0
) -> "FloatArray":
    """What each example adds to the service error; their mean is the service error.

    ((1/T)(e_0 + Σ_{k<T} w_k) + h·w_T) / (1 + h), with w_k whether the model after megabatch k was
    wrong.

    Args:
        wrong: ``[..., T, n]``, after megabatch 1 … T.
        chance_error: e_0, the error rate of a guess, in [0, 1].
        service_after: h, at least 0.

    Returns:
        ``[..., n]``, each in [0, 1].
    """
    num_megabatches = wrong.shape[-2]
    waiting = (chance_error + wrong[..., :-1, :].sum(axis=-2)) / num_megabatches
    losses: FloatArray = (waiting + service_after * wrong[..., -1, :]) / (1 + service_after)
    return losses


@dataclass(frozen=True)
class Losses:
    """Losses by example, of a configuration under some seeds or of one network.

    Attributes:
        service: ``[seeds, n]`` or, of one network, ``[n]``; in [0, 1]. Their mean is the service
            error (:func:`service_losses`).
        final: Of the same shape: 1 where the last model is wrong, else 0.

    Raises:
        ValueError: The shapes differ, or a loss is out of range or missing.
    """

    service: "FloatArray"
    final: "FloatArray"

    def __post_init__(self) -> None:
        if self.service.shape != self.final.shape or self.service.ndim not in (1, 2):
            raise ValueError(
                f"losses must both be [seeds, examples] or both [examples], got "
                f"{list(self.service.shape)} and {list(self.final.shape)}"
            )
        for losses in (self.service, self.final):
            if not ((losses >= 0) & (losses <= 1)).all():
                raise ValueError("losses must be in [0, 1], and none may be missing")

    def first_seeds(self, number: int) -> "Losses":
        """The same configuration under the first seeds alone."""
        return Losses(self.service[:number], self.final[:number])


@dataclass(frozen=True)
class MeanDifference:
    """The mean of differences a − b in an error, and how far from the truth it may be.

    Attributes:
        estimate: In [−1, 1].
        seed_variance: What seeds add to the variance of the estimate, the noise of single pairs
            included; 0 for one network.
        example_variance: What examples add to it; more seeds do not shrink this part.
        degrees_of_freedom: Of Student's t; may be infinite.
        jumps: How lopsided the examples are, downwards and upwards, in (0, 1]: how much of the
            distance to the lower and upper bound single unseen examples may make up for.
        settled_jump: What both would be for equal sides if seeds were unlimited.
        num_examples: n.
        num_discordant: Examples in which the sides differ under at least one seed.
    """

    estimate: float
    seed_variance: float
    example_variance: float
    degrees_of_freedom: float
    jumps: tuple[float, float]
    settled_jump: float
    num_examples: int
    num_discordant: int

    def _distance(self, level: float, jump: float) -> float:
        """From the estimate to its one-sided bound at ``level``; above 0 whatever was seen.

        Score-type: were the truth at the bound U, then examples would be missing that make up
        for U − estimate, each as large as ``jump``, and the variance there is larger by theirs.
        So (U − estimate)² = t²·(variance + (U − estimate)·jump/n). With no discordant example
        among n it is t²/n, as in Wilson's and Tango's intervals, and not 0.
        """
        quantile = _quantile(level, self.degrees_of_freedom)
        half = quantile**2 * jump / (2 * self.num_examples)
        return half + math.sqrt(half**2 + quantile**2 * self.variance)

    @property
    def variance(self) -> float:
        """Of the estimate."""
        return self.seed_variance + self.example_variance

    def upper(self, level: float) -> float:
        """The one-sided upper bound: the truth is above it in at most ``level`` of studies."""
        return self.estimate + self._distance(level, self.jumps[1])

    def lower(self, level: float) -> float:
        """The one-sided lower bound."""
        return self.estimate - self._distance(level, self.jumps[0])


def mean_difference(differences: "FloatArray") -> MeanDifference:
    """Of differences a − b ``[seeds, n]`` of a configuration, or ``[n]`` of one network.

    With mean squares of a two-way layout without replication, the variance of the mean of a
    configuration is (MS_seeds + MS_examples − MS_rest) / (S·n): s²_seed/S + s²_example/n, with
    what both contain counted once. No part is below what chance makes of it. Degrees of freedom
    as Hillis (2007, "A comparison of denominator degrees of freedom methods for multiple observer
    ROC analysis") has them for readers and cases.

    Raises:
        ValueError: There are fewer than two examples, or the array has other dimensions.
    """
    if differences.ndim not in (1, 2) or differences.shape[-1] < 2:
        raise ValueError(
            f"differences must be [seeds, n] or [n] with at least 2 examples, got "
            f"{list(differences.shape)}"
        )
    crossed = differences if differences.ndim == 2 else differences[None, :]
    num_seeds, num_examples = crossed.shape
    by_example = crossed.mean(axis=0)
    if num_seeds == 1:
        seeds, freedom = 0.0, float(num_examples - 1)
        examples = float(by_example.var(ddof=1)) / num_examples
    else:
        seeds, examples = _crossed_variances(crossed)
        whole = seeds + examples
        freedom = (num_seeds - 1) * (whole / seeds) ** 2 if seeds > 0 else math.inf
    return MeanDifference(
        estimate=float(by_example.mean()),
        seed_variance=seeds,
        example_variance=examples,
        degrees_of_freedom=freedom,
        jumps=_jumps(by_example),
        settled_jump=_settled_jump(by_example, examples * num_examples**2),
        num_examples=num_examples,
        num_discordant=int((crossed != 0).any(axis=0).sum()),
    )


def _jumps(by_example: "FloatArray") -> tuple[float, float]:
    """Third over second moments, downwards and upwards, with an unseen discordance counted in.

    Its size is that of those seen, weighted by size, and 1 where there is none. Where c examples
    speak against one network and none for it, the jump upwards is 1, and the bound is near the
    exact one; where as many speak for it, it is 1/(1 + 2c).
    """
    size = (1 + float((by_example**2).sum())) / (1 + float(abs(by_example).sum()))
    second = size**2 + float((by_example**2).sum())
    third = float((by_example**3).sum())
    down, up = (size**3 + max(sign * third, 0.0) for sign in (-1, 1))
    return down / second, up / second


def _settled_jump(by_example: "FloatArray", squares: float) -> float:
    """Both jumps of equal sides of which the squares sum up to ``squares`` without noise."""
    size = (1 + squares) / (1 + float(abs(by_example).sum()))
    return min(1.0, size**3 / (size**2 + squares))


def _crossed_variances(crossed: "FloatArray") -> tuple[float, float]:
    """What seeds (with the rest) and what examples add to the variance of the mean."""
    num_seeds, num_examples = crossed.shape
    by_seed, by_example = crossed.mean(axis=1), crossed.mean(axis=0)
    seeds = num_examples * float(by_seed.var(ddof=1))
    examples = num_seeds * float(by_example.var(ddof=1))
    rest = crossed - by_seed[:, None] - by_example[None, :] + crossed.mean()
    noise = float((rest**2).sum()) / ((num_seeds - 1) * (num_examples - 1))
    cells = num_seeds * num_examples
    return max(seeds, noise) / cells, max(examples - noise, 0.0) / cells


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
    def _both(self) -> "Sequence[MeanDifference]":
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


def smallest_as_good(judgements: "Sequence[Judgement]") -> int | None:
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


def examples_needed(
    variance: float, *, jump: float = 1.0, margin: float = MARGIN, level: float = LEVEL
) -> int:
    """The fewest examples on which sides of equal error can be called as good.

    Args:
        variance: Of the differences between examples, seeds averaged out.
        jump: See :attr:`MeanDifference.settled_jump`.
        margin: As a fraction of examples.
        level: Of the test.
    """
    # The distance to the bound is below the margin; solved for n.
    quantile = _quantile(level)
    return math.floor(quantile**2 * (variance + jump * margin) / margin**2) + 1


def decidable_difference(num_examples: int, *, variance: float, level: float = LEVEL) -> float:
    """The smallest margin at which so many examples can call equal sides as good.

    Differences below it stay undecided, however many seeds are run.

    Args:
        num_examples: At least 1.
        variance: Of the differences between examples, seeds averaged out. Of two single networks
            that differ in their outcome on a share p of the examples it is p.
        level: Of the test.
    """
    quantile = _quantile(level)
    jump = 1 / (1 + num_examples * variance)
    half = quantile**2 * jump / (2 * num_examples)
    return half + math.sqrt(half**2 + quantile**2 * variance / num_examples)


def _quantile(level: float, degrees_of_freedom: float = math.inf) -> float:
    """Student's t that is exceeded with probability ``level``."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees_of_freedom):
        return float(ndtri(1 - level))
    return float(stdtrit(degrees_of_freedom, 1 - level))
