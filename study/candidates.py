"""Which networks of a search look as good as dense, and which of these are run again.

What selected a network says nothing for it: these are candidates, and fresh seeds judge them.
They are put in order by what the study seeks: few weights or, where an objective says so, a fast
network or a small file.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.metrics import METRICS

DENSITY = "final_density"


def sought_metric(objectives: Iterable[str]) -> str:
    """What pruning is to bring: the first objective that it brings about, else few weights."""
    found = next((name for name in objectives if METRICS[name].is_of_pruning), DENSITY)
    return DENSITY if METRICS[found].quantity == "density" else found


def smallness(metric: str, value: float) -> float:
    """A value of a sought metric such that lower is better; above 0, of speed-ups the inverse."""
    return value if METRICS[metric].is_minimized else 1 / value


@dataclass(frozen=True)
class Candidate:
    """A pruned network of a search beside the dense one that it is compared with.

    Attributes:
        number: Of its trial.
        size: What pruning makes small, above 0: the fraction of weights kept, or another metric
            that the study seeks by :func:`smallness`.
        service: Service error.
        final: Final error.
        dense_service: That of dense, on the same examples.
        dense_final: That of dense.
    """

    number: int
    size: float
    service: float
    final: float
    dense_service: float
    dense_final: float

    @property
    def excess(self) -> float:
        """How much worse than dense it was found to be, in the worse of both errors."""
        return max(self.service - self.dense_service, self.final - self.dense_final)

    def looks_as_good(self, margin: float) -> bool:
        """Whether neither error was found to be as much as ``margin`` above that of dense."""
        return self.excess < margin


def front(networks: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats in size and service error, the largest first."""
    ordered = sorted(networks, key=lambda one: (one.size, one.service, one.number))
    points: list[Candidate] = []
    for one in ordered:
        if not points or one.service < points[-1].service:
            points.append(one)
    return points[::-1]


def looking_as_good(networks: Sequence[Candidate], margin: float) -> list[Candidate]:
    """The front of what looks as good as dense, of networks of one T, the largest first."""
    return front([one for one in networks if one.looks_as_good(margin)])


def by_dense_service(groups: Iterable[Sequence[Candidate]]) -> list[Sequence[Candidate]]:
    """Groups of candidates of one T each, first that at whose T dense serves best."""
    return sorted(groups, key=lambda group: min(one.dense_service for one in group))


def nominated(groups: Iterable[Sequence[Candidate]], margin: float) -> list[Candidate]:
    """What looks as good as dense at the T at which dense serves best and any does.

    Args:
        groups: Those of one network, data set and T each.
        margin: As a fraction of examples.

    Returns:
        By falling size; nothing where none looks as good.
    """
    found = (looking_as_good(group, margin) for group in by_dense_service(groups))
    return next((points for points in found if points), [])


def spread(points: Sequence[Candidate], top: int) -> list[Candidate]:
    """At most ``top`` points, given by falling size: the smallest, the largest, then between.

    Those between are nearest to even steps of the size's logarithm, of equals the larger.

    Args:
        points: By falling size.
        top: At least 1.
    """
    if len(points) <= top:
        return list(points)
    if top == 1:
        return [points[-1]]
    logs = [math.log(one.size) for one in points]
    chosen = {0, len(points) - 1}
    for step in range(1, top - 1):
        wanted = logs[0] + (logs[-1] - logs[0]) * step / (top - 1)
        free = [index for index in range(len(points)) if index not in chosen]
        chosen.add(min(free, key=lambda index: round(abs(logs[index] - wanted), 9)))
    return [points[index] for index in sorted(chosen)]
