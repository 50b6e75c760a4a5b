"""The arms of a search: the values that are tuned apart, each with the same effort."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from study.config.space import Choices, Dimension, Space

SearchArm = Mapping[str, Any]  # dotted path → value
# More would leave each of them next to nothing to try.
MAX_ARMS = 100


def arms_of(paths: Sequence[str], space: Space, fixed: Mapping[str, Any]) -> tuple[SearchArm, ...]:
    """Every combination of the choices of ``paths``, in the order of the file; up to MAX_ARMS + 1.

    A path that has no meaning beside the values of the others is no part of an arm.
    """
    dimensions = [d for d in space.dimensions if d.path in paths and _has_choices(d)]
    cells = Space(tuple(dimensions)).cells(fixed, limit=MAX_ARMS + 1)
    return tuple(cells) if dimensions else ()


def _has_choices(dimension: Dimension) -> bool:
    return isinstance(dimension.domain, Choices)


def belongs(values: Mapping[str, Any], arm: SearchArm) -> bool:
    """Whether a trial with these values is one of the arm's."""
    return all(path in values and values[path] in Choices((v,)) for path, v in arm.items())


def arm_name(arm: SearchArm) -> str:
    """What an arm is called, without commas: ``app``, ``app num_megabatches=4``."""
    words = (
        value if isinstance(value, str) else f"{path.rpartition('.')[2]}={_shown(value)}"
        for path, value in arm.items()
    )
    return " ".join(words).replace(",", ";")


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def in_turns(
    points: Sequence[Mapping[str, Any]], arms: Sequence[SearchArm]
) -> tuple[Mapping[str, Any], ...]:
    """The points in an order in which arms take turns; first those that belong to none."""
    left = [point for point in points if not any(belongs(point, arm) for arm in arms)]
    by_arm = [[point for point in points if belongs(point, arm)] for arm in arms]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*by_arm))
    return (*left, *(point for point in turns if point is not None))
