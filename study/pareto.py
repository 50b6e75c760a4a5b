"""The front of several costs: the points that no other beats."""

from collections.abc import Iterable, Sequence


def undominated(costs: Iterable[Sequence[float]]) -> list[bool]:
    """Whether each point is on the front, lower being better in every coordinate.

    A point dominates another that it is no worse than anywhere and better than somewhere; equal
    points are on the front together.
    """
    points = [tuple(point) for point in costs]
    front: set[tuple[float, ...]] = set()
    # In this order none is dominated by a later one, so that those found so far are enough.
    for point in sorted(set(points)):
        if not any(all(a <= b for a, b in zip(one, point, strict=True)) for one in front):
            front.add(point)
    return [point in front for point in points]
