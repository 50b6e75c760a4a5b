"""How much of the box between the best conceivable and the worst a set of points dominates."""

import math
from collections.abc import Sequence

# On a linear axis all networks below a tenth of the weights share a tenth of the box.
SMALLEST_DENSITY = 1e-3

Point = tuple[float, ...]


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
    volumes: list[float] = []
    front: list[Point] = []
    volume = 0.0
    for cost in costs:
        point = tuple(map(float, cost))
        if not any(_dominates(other, point) for other in front):
            volume += _gain(point, front)
            front = [other for other in front if not _dominates(point, other)] + [point]
        volumes.append(min(volume, 1.0))
    return volumes


def _gain(point: Point, front: Sequence[Point]) -> float:
    """What ``point`` dominates that none of ``front`` does.

    Exact in any number of objectives (While, Bradstreet and Barone 2012): its own box, less the
    part that the others dominate of it, which are the gains of their corners within the box, one
    after the other.
    """
    corners = {tuple(map(max, zip(point, other, strict=True))) for other in front}
    shared = 0.0
    seen: list[Point] = []
    # The larger first: most of the others are then dominated by them, and gain nothing.
    for corner in sorted(corners, key=_box, reverse=True):
        if not any(_dominates(other, corner) for other in seen):
            shared += _gain(corner, seen)
            seen.append(corner)
    return max(0.0, _box(point) - shared)


def _box(point: Point) -> float:
    return math.prod(1 - coordinate for coordinate in point)


def _dominates(one: Point, other: Point) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
