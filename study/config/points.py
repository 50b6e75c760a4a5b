"""The trials that a study names itself: cells of axes, points of a search."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from study.config.paths import flat_paths, is_active
from study.config.problems import Problem, shown
from study.config.space import Space

MAX_CELLS = 10_000
Axes = Mapping[str, tuple[Any, ...]]


def parse_axes(raw: Any, fixed: Mapping[str, Any], problems: list[Problem]) -> tuple[Axes, ...]:
    """The groups under ``axes``: one mapping, or a list of them.

    A single value is a list of one. What is wrong joins ``problems``.
    """
    is_list = isinstance(raw, list | tuple)
    groups = []
    for index, group in enumerate(raw if is_list else [raw]):
        where = f"axes.{index}" if is_list else "axes"
        group_axes = _as_axes(flat_paths(group, where=where, problems=problems))
        problems += [
            Problem(f"{where}.{path}", f"a value is given twice: {shown(values)}")
            for path, values in group_axes.items()
            if len({repr(v) for v in values}) < len(values)
        ]
        groups.append(group_axes)
    if is_list and not raw:
        problems.append(Problem("axes", "is empty; leave it out or give a path and its values"))
    if not _is_countable(groups, "axes", problems):
        return ()
    for index, group in enumerate(groups):
        problems += _idle_paths(f"axes.{index}" if is_list else "axes", group, fixed)
    return tuple(groups)


def cells_of_axes(
    groups: Sequence[Axes], fixed: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Every combination within each group, each once; one trial where there are no axes."""
    return tuple(_unique((cell for group in groups or ({},) for cell in _cells(group)), fixed))


def parse_points(
    raw: Sequence[Mapping[str, Any]],
    fixed: Mapping[str, Any],
    space: Space,
    problems: list[Problem],
) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Place → the points written there, a list of values standing for each of them."""
    groups = [
        _as_axes(flat_paths(point, where=f"search.points.{index}", problems=problems))
        for index, point in enumerate(raw)
    ]
    if not _is_countable(groups, "search.points", problems):
        return {}
    for index, group in enumerate(groups):
        problems += _idle_paths(f"search.points.{index}", group, fixed)
    points: dict[str, tuple[Mapping[str, Any], ...]] = {
        f"search.points.{index}": tuple(_unique(_cells(group), fixed))
        for index, group in enumerate(groups)
    }
    for where, cells in points.items():
        problems += [
            Problem(where, f"gives no value for {path}, which is searched; add it")
            for chosen in cells
            for path in _open_paths(space, {**fixed, **chosen}, chosen)
        ]
    return points


def _open_paths(space: Space, flat: Mapping[str, Any], chosen: Mapping[str, Any]) -> Iterator[str]:
    return (d.path for d in space.dimensions if d.path not in chosen and d.is_active(flat))


def _as_axes(flat: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {path: v if isinstance(v, tuple) else (v,) for path, v in flat.items()}


def _idle_paths(where: str, group: Axes, fixed: Mapping[str, Any]) -> list[Problem]:
    """Paths of which no trial of the group has a value."""
    empty = [path for path, values in group.items() if not values]
    if empty:
        return [Problem(f"{where}.{path}", "needs at least one value") for path in empty]
    used = {path for cell in _unique(_cells(group), fixed) for path in cell}
    return [
        Problem(f"{where}.{path}", "has no meaning in any of these trials; leave it out")
        for path in group
        if path not in used
    ]


def _is_countable(groups: Sequence[Axes], where: str, problems: list[Problem]) -> bool:
    count = sum(math.prod(len(values) for values in group.values()) for group in groups)
    if count > MAX_CELLS:
        problems.append(
            Problem(
                where, f"stands for {count:,} trials; at most {MAX_CELLS:,}: give fewer values"
            )
        )
    return count <= MAX_CELLS


def _cells(axes: Axes) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _unique(cells: Iterable[dict[str, Any]], fixed: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Cells without the paths that have no meaning in them, each once."""
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        flat = {**fixed, **cell}
        kept = {p: v for p, v in cell.items() if is_active(p, flat)}
        found.setdefault(repr(sorted(kept.items())), kept)
    return found.values()
