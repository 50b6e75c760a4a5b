"""The places of a space that were tried, so that a sampler which has learned tries others."""

from collections.abc import Iterable, Mapping
from typing import Any

from study.config.space import Choices, Dimension

# Of the distance that as many places would have if they were spread evenly.
NEAR = 0.35
# So often a proposal beside a known place is drawn anew: a sampler that insists on it gets it.
MOST_REDRAWN = 30
# Where more trials are known nearly every proposal lies beside one, and each takes longer to draw.
MANY_KNOWN = 50
_Place = tuple[tuple[Any, ...], tuple[float, ...]]


class Explored:
    """Places that were tried, each by its choices and its numbers.

    Args:
        dimensions: The paths that are searched.
    """

    def __init__(self, dimensions: Iterable[Dimension]) -> None:
        self._dimensions = tuple(dimensions)
        self._tried: dict[tuple[Any, ...], set[tuple[float, ...]]] = {}

    def add(self, chosen: Mapping[str, Any]) -> None:
        """A trial of these values was proposed, or has ended."""
        choices, numbers = self._place(chosen)
        self._tried.setdefault(choices, set()).add(numbers)

    def is_near(self, chosen: Mapping[str, Any]) -> bool:
        """Whether one was tried with the same choices and, in each number, nearly the same value.

        Where m places with the same choices and d numbers are known, nearly is within
        :data:`NEAR` · m^(−1/d) of the range, on its logarithm where the range is logarithmic: the
        more is known, the finer a search may look. The very same values are not meant: what is
        known of them is known.
        """
        choices, numbers = self._place(chosen)
        tried = self._tried.get(choices, set())
        if not tried or numbers in tried:
            return False
        near = NEAR * len(tried) ** (-1 / max(1, len(numbers)))
        return any(
            all(abs(a - b) < near for a, b in zip(numbers, others, strict=True))
            for others in tried
        )

    def _place(self, chosen: Mapping[str, Any]) -> _Place:
        present = [d for d in self._dimensions if d.path in chosen]
        choices = tuple(
            (d.path, chosen[d.path] if isinstance(d.domain, Choices) else None) for d in present
        )
        numbers = (
            d.domain.position(float(chosen[d.path]))
            for d in present
            if not isinstance(d.domain, Choices)
        )
        return choices, tuple(numbers)


def most_redrawn(num_known: int) -> int:
    """How often a proposal is drawn anew at most, where so many trials are known.

    Beyond :data:`MANY_KNOWN` it falls by the cube: 3 times at 100, once at 150, then never.
    """
    return int(MOST_REDRAWN * min(1.0, MANY_KNOWN / max(1, num_known)) ** 3)
