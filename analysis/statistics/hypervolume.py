"""How much of the box between the best conceivable and the worst a set of points dominates."""

import math
from collections.abc import Sequence

# On a linear axis all networks below a tenth of the weights share a tenth of the box.
SMALLEST_DENSITY = 1e-3


def density_cost(density: float) -> float:
    """A density's place on a logarithmic axis: 0 at a thousandth of the weights, 1 at all.

    Halving the weights counts the same wherever it happens; below a thousandth nothing is gained.
    """
    return 1 - math.log(max(density, SMALLEST_DENSITY)) / math.log(SMALLEST_DENSITY)


def running_hypervolume(costs: Sequence[Sequence[float]]) -> list[float]:
    """After each point, the share of the unit box that the points so far dominate.

    Args:
        costs: Points in order, each coordinate in [0, 1] with 0 best; the reference is 1 in all.

    Returns:
        As many values in [0, 1], never falling.
    """
    import numpy as np

    # Optuna offers it publicly only as a figure over a study of its own.
    from optuna._hypervolume import compute_hypervolume

    volumes: list[float] = []
    front = np.empty((0, len(costs[0]) if costs else 0))
    volume = 0.0
    for cost in costs:
        point = np.asarray(cost, dtype=float)
        if not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            volume = float(compute_hypervolume(front, np.ones(len(point))))
        volumes.append(volume)
    return volumes
