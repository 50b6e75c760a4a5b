"""What a study varies: ranges and choices over dotted paths, some of them conditional."""

import itertools
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from study.config.errors import ConfigError, Problem, shown, unknown_key
from study.config.sections import (
    SECTIONS,
    TARGETS,
    PruningSection,
    field_annotations,
    owners,
)
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.registry import nearest

MAX_CORNERS = 2048
_RANGE_KEYS = ("low", "high", "log", "step", "when")
_CHOICES_KEYS = ("choices", "when")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    is_integer: bool = False

    def ends(self) -> tuple[Any, ...]:
        """The smallest and the largest value."""
        return (self.low,) if self.low == self.high else (self.low, self.high)

    def __contains__(self, value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high  # type: ignore[operator]  # a number


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[Any, ...]

    def ends(self) -> tuple[Any, ...]:
        """Every value."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return any(type(v) is type(value) and v == value for v in self.values)


@dataclass(frozen=True)
class Dimension:
    """One searched path. ``when`` maps other paths to the values under which it exists."""

    path: str
    domain: Range | Choices
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def is_active(self, flat: Mapping[str, Any]) -> bool:
        """Whether the path exists given the values in ``flat``."""
        return is_active(self.path, flat) and all(
            flat.get(path) in values for path, values in self.when.items()
        )


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
        sizes = math.prod(len(d.domain.ends()) for d in self.dimensions)
        joint = [
            d.path
            for d in self.dimensions
            if sizes <= MAX_CORNERS or d.path.startswith(("pruning.", "stream."))
        ]
        first = {d.path: d.domain.ends()[0] for d in self.dimensions}
        yield from self._product(fixed, {p: () for p in joint}, first)
        for dimension in self.dimensions:
            if dimension.path not in joint:
                yield from self._product(fixed, {dimension.path: ()}, first)

    def _product(
        self, fixed: Mapping[str, Any], joint: Mapping[str, tuple[()]], first: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        ends = [d.domain.ends() if d.path in joint else (first[d.path],) for d in self.dimensions]
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


def controlling_paths(path: str) -> list[str]:
    """Paths of the plug-in points that decide whether ``path`` exists; empty if it always does."""
    section_name, _, name = path.partition(".")
    if section_name == "pruning" and name in TARGETS:
        return ["pruning.schedule"]
    if section_name not in SECTIONS:
        return []
    return [f"{section_name}.{point}" for point in owners(SECTIONS[section_name], name)]


def is_active(path: str, flat: Mapping[str, Any]) -> bool:
    """Whether ``path`` has a meaning under the plug-ins that ``flat`` names (or the defaults)."""
    section_name, _, name = path.partition(".")
    if section_name == "pruning" and name in TARGETS:
        point = "pruning.schedule"
        chosen = flat.get(point, PruningSection.model_fields["schedule"].default)
        registry = PruningSection.plugin_points["schedule"]
        return chosen not in registry or bool(registry.get(chosen).takes_target)
    if section_name not in SECTIONS:
        return True
    section = SECTIONS[section_name]
    owned_by = owners(section, name)
    if not owned_by:
        return True
    return any(
        flat.get(f"{section_name}.{point}", section.model_fields[point].default) in names
        for point, names in owned_by.items()
    )


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


def path_problem(path: str, *, where: str) -> Problem | None:
    """What is wrong with ``path`` as the path of a trial's value, or None."""
    if path == "seed":
        return None
    section_name, _, name = path.partition(".")
    section = SECTIONS.get(section_name)
    if section is None:
        return Problem(f"{where}.{path}", unknown_key(section_name, [*SECTIONS, "seed"]))
    if field_annotations(section, name):
        return None
    known = set(section.model_fields)
    for registry in section.plugin_points.values():
        for plugin in registry:
            known |= set(registry.get(plugin).__dataclass_fields__)
    guess = nearest(name, sorted(known))
    hint = f"; did you mean '{section_name}.{guess}'?" if guess else ""
    return Problem(f"{where}.{path}", f"unknown path{hint} (known: {', '.join(sorted(known))})")


def parse_space(raw: Mapping[str, Any], problems: list[Problem]) -> Space:
    """The space written under ``search.space``; what is wrong is added to ``problems``."""
    dimensions = []
    for path, value in raw.items():
        problem = path_problem(path, where="search.space")
        if problem:
            problems.append(problem)
            continue
        try:
            dimensions.append(_dimension(path, value))
        except ConfigError as error:
            problems += error.problems
    controls = {c for d in dimensions for c in (*controlling_paths(d.path), *d.when)}
    dimensions.sort(key=lambda d: (d.path not in controls, bool(d.when)))
    return Space(tuple(dimensions))


def _dimension(path: str, value: Any) -> Dimension:
    where = f"search.space.{path}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = {"choices": value}
    if not isinstance(value, Mapping):
        raise ConfigError(
            [
                Problem(
                    where,
                    f"must be a list of choices or a mapping with low and high, got "
                    f"{shown(value)}; a value that does not vary belongs under fixed",
                )
            ]
        )
    keys = _CHOICES_KEYS if "choices" in value else _RANGE_KEYS
    unknown = [
        Problem(f"{where}.{key}", unknown_key(key, keys)) for key in value if key not in keys
    ]
    if unknown:
        raise ConfigError(unknown)
    when = _when(where, value.get("when", {}))
    if "choices" in value:
        return Dimension(path, _choices(where, value["choices"]), when)
    return Dimension(path, _range(where, path, value), when)


def _when(where: str, raw: Any) -> dict[str, tuple[Any, ...]]:
    if not isinstance(raw, Mapping):
        raise ConfigError([Problem(f"{where}.when", "must map paths to values")])
    for path in raw:
        problem = path_problem(str(path), where=f"{where}.when")
        if problem:
            raise ConfigError([problem])
    return {
        path: tuple(value) if isinstance(value, list) else (value,) for path, value in raw.items()
    }


def _choices(where: str, raw: Any) -> Choices:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise ConfigError([Problem(where, f"needs at least one choice, got {shown(raw)}")])
    values = tuple(tuple(v) if isinstance(v, list) else v for v in raw)
    if any(isinstance(v, Mapping) for v in values):
        raise ConfigError([Problem(where, "a choice is a value or a list of values")])
    marks = [(type(v).__name__, repr(v)) for v in values]
    if len(set(marks)) < len(marks):
        raise ConfigError([Problem(where, f"a choice is given twice: {shown(list(raw))}")])
    return Choices(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _range(where: str, path: str, raw: Mapping[str, Any]) -> Range:
    problems = [
        Problem(f"{where}.{key}", f"must be a number, got {shown(raw.get(key))}")
        for key in ("low", "high", *(["step"] if raw.get("step") is not None else []))
        if not _is_number(raw.get(key))
    ]
    kind = _number_kind(path)
    if kind is None:
        problems.append(Problem(where, f"{path} is not a number; give a list of choices"))
    log = raw.get("log", False)
    if not isinstance(log, bool):
        problems.append(Problem(f"{where}.log", f"must be true or false, got {shown(log)}"))
    if problems:
        raise ConfigError(problems)
    low, high, step = raw["low"], raw["high"], raw.get("step")
    if low > high:
        problems.append(Problem(where, f"low {low} is above high {high}"))
    if log and low <= 0:
        problems.append(Problem(f"{where}.low", f"must be above 0 with log: true, got {low}"))
    if log and step is not None:
        problems.append(Problem(f"{where}.step", "cannot be given with log: true; leave one out"))
    if step is not None and step <= 0:
        problems.append(Problem(f"{where}.step", f"must be above 0, got {step}"))
    if kind == "int" and any(v is not None and v != int(v) for v in (low, high, step)):
        problems.append(Problem(where, f"{path} takes whole numbers"))
    if problems:
        raise ConfigError(problems)
    if kind == "int":
        return Range(int(low), int(high), log, None if step is None else int(step), True)
    return Range(float(low), float(high), log, None if step is None else float(step))


def _number_kind(path: str) -> Literal["int", "float"] | None:
    if path == "seed":
        return "int"
    section_name, _, name = path.partition(".")
    kinds = {
        kind
        for annotation in field_annotations(SECTIONS[section_name], name)
        for kind in _scalar_types(annotation)
    }
    if float in kinds:
        return "float"
    return "int" if int in kinds else None


def _scalar_types(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _scalar_types(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return {kind for part in typing.get_args(annotation) for kind in _scalar_types(part)}
    return {annotation} if annotation in (int, float) else set()
