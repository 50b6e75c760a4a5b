"""Waiting policies: after which arrivals of a stream a model is trained."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.wording import listing
from study.text import count

# Sets of arrivals are tried up to the size at which there are no more of them than this.
MOST_SETS = 5_000
_GROWTHS = (1.25, 1.5, 2.0, 3.0, 4.0)
_PATIENCES = (1, 2, 3)


@dataclass(frozen=True)
class Arrivals:
    """What a policy may go by.

    Attributes:
        pool_sizes: Examples that have arrived, at each of T arrivals.
        validation_errors: Of the model trained after each; NaN where nothing validates.
    """

    pool_sizes: tuple[int, ...]
    validation_errors: tuple[float, ...]


class WaitingPolicy(ABC):
    """After which arrivals a model is trained. Looks at models that it has had trained alone."""

    @abstractmethod
    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:
        """The arrivals, 0-based, rising, at least one."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What completes ``retraining …``."""


@dataclass(frozen=True)
class Every(WaitingPolicy):
    """The first arrival, and every ``step``-th after it."""

    step: int

    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:
        """0, step, 2 · step and so on."""
        return tuple(range(0, len(stream.pool_sizes), self.step))

    @property
    def words(self) -> str:
        """``at every 2nd arrival``."""
        return "at every arrival" if self.step == 1 else f"at every {_ordinal(self.step)} arrival"


@dataclass(frozen=True)
class FirstAlone(WaitingPolicy):
    """The first arrival, and none after it."""

    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:  # noqa: ARG002  # whatever comes
        """0."""
        return (0,)

    @property
    def words(self) -> str:
        """As it is."""
        return "at the first arrival alone"


@dataclass(frozen=True)
class Growth(WaitingPolicy):
    """The first arrival, and whenever the pool is ``factor`` times what was trained on last."""

    factor: float

    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:
        """By sizes alone."""
        chosen = [0]
        for k, size in enumerate(stream.pool_sizes):
            if size >= self.factor * stream.pool_sizes[chosen[-1]] and k:
                chosen.append(k)
        return tuple(chosen)

    @property
    def words(self) -> str:
        """``each time that the data has doubled``."""
        known = {2.0: "doubled", 3.0: "tripled", 4.0: "quadrupled"}
        grown = known.get(self.factor, f"grown {self.factor:g}-fold")
        return f"each time that the data has {grown}"


@dataclass(frozen=True)
class UntilNoBetter(WaitingPolicy):
    """Every arrival, until ``patience`` models in a row have not lowered the validation error."""

    patience: int

    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:
        """By the validation errors of the models trained so far."""
        best, in_vain = math.inf, 0
        for k, error in enumerate(stream.validation_errors):
            # Where nothing validates (NaN) there is nothing to stop by.
            in_vain = in_vain + 1 if error >= best else 0
            best = min(best, error)
            if in_vain == self.patience:
                return tuple(range(k + 1))
        return tuple(range(len(stream.validation_errors)))

    @property
    def words(self) -> str:
        """``at every arrival until a model has not lowered the validation error``."""
        if self.patience == 1:
            return "at every arrival until a model has not lowered the validation error"
        return (
            f"at every arrival until {self.patience} models in a row have not lowered the "
            f"validation error"
        )


@dataclass(frozen=True)
class Exactly(WaitingPolicy):
    """These arrivals."""

    at: tuple[int, ...]

    def trained_at(self, stream: Arrivals) -> tuple[int, ...]:  # noqa: ARG002  # fixed beforehand
        """As given."""
        return self.at

    @property
    def words(self) -> str:
        """``at 3 arrivals (0, 4 and 9)``."""
        return f"at {count(len(self.at), 'arrival')} ({listing([str(k) for k in self.at])})"


EVERY = Every(1)


def rules(num_megabatches: int) -> tuple[WaitingPolicy, ...]:
    """Policies that are stated in words, for a stream of T arrivals; :data:`EVERY` comes first."""
    steps = [Every(step) for step in range(1, num_megabatches // 2 + 1)] or [EVERY]
    return (
        *steps,
        *(Growth(factor) for factor in _GROWTHS),
        *(UntilNoBetter(patience) for patience in _PATIENCES),
        FirstAlone(),
    )


def sets_of_arrivals(num_megabatches: int) -> Iterator[Exactly]:
    """Sets of arrivals, all of them where they are few, else the small ones."""
    for size in range(1, largest_set(num_megabatches) + 1):
        for at in itertools.combinations(range(num_megabatches), size):
            yield Exactly(at)


def largest_set(num_megabatches: int) -> int:
    """The size up to which sets of arrivals are no more than :data:`MOST_SETS`; at least 1."""
    sizes = range(1, num_megabatches + 1)
    totals = itertools.accumulate(math.comb(num_megabatches, size) for size in sizes)
    return max([1, *(n for n, total in zip(sizes, totals, strict=True) if total <= MOST_SETS)])


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


def spans(sets: Sequence[tuple[int, ...]]) -> str:
    """How many arrivals these are of each seed: ``3``, or ``5 to 7``."""
    sizes = sorted({len(at) for at in sets})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
