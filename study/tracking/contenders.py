"""Of which trials a study's store gets pictures: of all in a small study, else of what can win."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from study.metrics import METRICS
from study.results import Outcome

# To draw a trial takes longer than all else that its end takes.
NUM_ALWAYS_DRAWN: Final = 100


class Contenders:
    """The front of a study's complete trials as they end.

    Args:
        metrics: By which they compete.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = tuple(metrics)
        self._front: list[tuple[float, ...]] = []
        self._num_ended = 0

    def is_drawn(self, values: Mapping[str, float], outcome: Outcome | None) -> bool:
        """Whether a trial that has ended is to be drawn, given those that ended before it.

        So are the first ``NUM_ALWAYS_DRAWN`` of a study, and after them those that are complete
        and that none before them dominates.

        Args:
            values: Its metrics at its end.
            outcome: How it ended.
        """
        self._num_ended += 1
        can_win = outcome is Outcome.COMPLETE and self._is_undominated(values)
        return can_win or self._num_ended <= NUM_ALWAYS_DRAWN

    def _is_undominated(self, values: Mapping[str, float]) -> bool:
        costs = tuple(METRICS[m].cost(values.get(m, math.nan)) for m in self._metrics)
        if not all(math.isfinite(cost) for cost in costs):
            return False
        if any(_no_worse(other, costs) for other in self._front):
            return costs in self._front
        self._front = [other for other in self._front if not _no_worse(costs, other)]
        self._front.append(costs)
        return True


def _no_worse(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))
