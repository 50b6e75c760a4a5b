"""From a proposal to the recorded trial that stands for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.config.space import Choices, Dimension, Space
from study.store.record import RecordedTrial

# A choice that differs outweighs any distance between numbers.
_ANOTHER_CHOICE = 100.0


class Lookup:
    """Finds the nearest row, however often it was visited before.

    Rows with the same choices come first, among them the nearest by the Euclidean distance of the
    numbers, each scaled to [0, 1] over its range (over its logarithm where the range is
    logarithmic). A path that exists in one of the two alone counts as another choice.
    """

    def __init__(self, space: Space, rows: Sequence[RecordedTrial]) -> None:
        self._dimensions = space.dimensions
        self._rows = np.array([self._encoded(row.chosen) for row in rows])
        self._is_choice = np.array([isinstance(d.domain, Choices) for d in self._dimensions])

    def nearest(self, chosen: Mapping[str, Any]) -> int:
        """The index of the row nearest to ``chosen``."""
        return int(np.argmin(self._distances(chosen)))

    def _distances(self, chosen: Mapping[str, Any]) -> NDArray[np.float64]:
        wanted = np.array(self._encoded(chosen))
        difference = np.abs(self._rows - wanted)
        # NaN marks a path that does not exist: alike where it exists in neither.
        alone = np.isnan(self._rows) != np.isnan(wanted)
        differs = np.where(self._is_choice, difference > 0, False) | alone
        numbers = np.where(self._is_choice | np.isnan(difference), 0.0, difference)
        squared: NDArray[np.float64] = (numbers**2).sum(axis=1)
        return np.asarray(squared + _ANOTHER_CHOICE * differs.sum(axis=1))

    def _encoded(self, chosen: Mapping[str, Any]) -> list[float]:
        return [
            _encode(dimension, chosen[dimension.path]) if dimension.path in chosen else np.nan
            for dimension in self._dimensions
        ]


def _encode(dimension: Dimension, value: Any) -> float:
    domain = dimension.domain
    if isinstance(domain, Choices):
        return float(domain.values.index(value))
    return domain.position(float(value))
