"""What a study varies: searched paths, those that others depend on before them."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.domains import Choices, Dimension, Range, parse_dimension
from study.config.paths import controlling_paths, is_active, path_problem
from study.config.problems import ConfigError, Problem
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.pruning.schedules import SCHEDULES

__all__ = ["Choices", "Dimension", "Range", "Space", "compose", "parse_space"]

MAX_CORNERS = 2048
_SCHEDULE = "pruning.schedule"


@dataclass(frozen=True)
class Space:
    """All searched paths; those that others depend on come first."""

    dimensions: tuple[Dimension, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The dotted paths, in order of sampling."""
        return tuple(dimension.path for dimension in self.dimensions)

    def ends(self, fixed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Both ends of every range with every choice, joined where they exist.

        All combinations up to MAX_CORNERS; beyond that the combinations of what decides how many
        weights are left (``pruning`` and ``stream``), the others one at a time.
        """
        sizes = math.prod(len(self._ends(d)) for d in self.dimensions)
        joint = [
            d.path
            for d in self.dimensions
            if sizes <= MAX_CORNERS or d.path.startswith(("pruning.", "stream."))
        ]
        first = {d.path: d.domain.ends()[0] for d in self.dimensions}
        existing: dict[str, dict[str, Any]] = {}  # path → values with which it exists
        alone = [[d.path] for d in self.dimensions if d.path not in joint]
        for paths in (joint, *alone):
            base = first if paths is joint else first | existing.get(paths[0], {})
            for chosen in self._product(fixed, dict.fromkeys(paths, ()), base):
                for path in chosen:
                    existing.setdefault(path, chosen)
                yield chosen

    def cells(self, fixed: Mapping[str, Any], *, limit: int) -> list[dict[str, Any]]:
        """Every combination of choices and steps, each once, up to ``limit`` of them.

        The ranges must have steps.
        """
        cells: list[dict[str, Any]] = [{}]
        for dimension in self.dimensions:
            grown = itertools.chain.from_iterable(
                [{**cell, dimension.path: value} for value in dimension.domain.steps()]
                if dimension.is_active({**fixed, **cell})
                else [cell]
                for cell in cells
            )
            cells = list(itertools.islice(grown, limit))
        return cells

    def _product(
        self, fixed: Mapping[str, Any], joint: Mapping[str, tuple[()]], first: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        ends = [self._ends(d) if d.path in joint else (first[d.path],) for d in self.dimensions]
        seen = set()
        for values in itertools.islice(itertools.product(*ends), 4 * MAX_CORNERS):
            chosen: dict[str, Any] = {}
            for dimension, value in zip(self.dimensions, values, strict=True):
                if dimension.is_active({**fixed, **chosen}):
                    chosen[dimension.path] = value
            mark = repr(sorted(chosen.items()))
            if mark not in seen:
                seen.add(mark)
                yield chosen

    def _ends(self, dimension: Dimension) -> tuple[Any, ...]:
        """The ends of its domain, and the values within it that others depend on."""
        named = (v for d in self.dimensions for v in d.when.get(dimension.path, ()))
        values = [*dimension.domain.ends(), *(v for v in named if v in dimension.domain)]
        return tuple({(type(v), repr(v)): v for v in values}.values())


def compose(
    fixed: Mapping[str, Any], chosen: Mapping[str, Any], *, varied: Sequence[str]
) -> TrialConfig:
    """A trial from the fixed values and the chosen ones.

    A fixed value that only some plug-ins have is left out under the others, where the study
    varies the plug-in (``pruning.final_density`` under ``dense``).

    Raises:
        ConfigError: The values do not make a trial.
    """
    flat = {**fixed, **chosen}
    kept = {
        path: value
        for path, value in flat.items()
        if is_active(path, flat) or not set(controlling_paths(path)) & {*varied, *chosen}
    }
    return parse_trial(unflatten(kept))


def parse_space(raw: Mapping[str, Any], problems: list[Problem]) -> Space:
    """The space written under ``search.space``; what is wrong is added to ``problems``."""
    dimensions = []
    for path, value in raw.items():
        problem = path_problem(path, where="search.space")
        if problem:
            problems.append(problem)
            continue
        try:
            dimensions.append(parse_dimension(path, value))
        except ConfigError as error:
            problems += error.problems
    return Space(_in_order(_where_it_matters(dimensions), problems))


def _where_it_matters(dimensions: list[Dimension]) -> list[Dimension]:
    """Settings of pruning, under the schedules that prune alone where others are searched too."""
    schedules = next((d.domain for d in dimensions if d.path == _SCHEDULE), None)
    if not isinstance(schedules, Choices):
        return dimensions
    pruning = tuple(name for name in schedules.values if _prunes(name))
    if not pruning or len(pruning) == len(schedules.values):
        return dimensions
    return [
        dataclasses.replace(d, when={**d.when, _SCHEDULE: _both(d.when.get(_SCHEDULE), pruning)})
        if d.path.startswith(("pruning.", "saliency.")) and d.path != _SCHEDULE
        else d
        for d in dimensions
    ]


def _prunes(name: Any) -> bool:
    is_known = isinstance(name, str) and name in SCHEDULES
    return not is_known or SCHEDULES.get(name).prunes


def _both(asked: tuple[Any, ...] | None, pruning: tuple[Any, ...]) -> tuple[Any, ...]:
    return pruning if asked is None else tuple(name for name in asked if name in pruning)


def _in_order(dimensions: list[Dimension], problems: list[Problem]) -> tuple[Dimension, ...]:
    """Those that others depend on first, else as written; a circle is a problem."""
    waiting = list(dimensions)
    ordered: list[Dimension] = []
    while waiting:
        left = {d.path for d in waiting}
        free = [d for d in waiting if not left & _needs(d)]
        if not free:
            problems += [
                Problem(
                    f"search.space.{d.path}",
                    f"depends in a circle on {' and '.join(sorted(left & _needs(d)))}; remove a "
                    f"condition",
                )
                for d in waiting
            ]
            return tuple(ordered)
        free = [d for d in free if _is_needed(d, waiting)] or free
        ordered += free
        waiting = [d for d in waiting if d not in free]
    return tuple(ordered)


def _needs(dimension: Dimension) -> set[str]:
    return {*controlling_paths(dimension.path), *dimension.when}


def _is_needed(dimension: Dimension, others: Sequence[Dimension]) -> bool:
    return any(dimension.path in _needs(other) for other in others)
