"""A whole study: what is fixed, what varies, what is optimised, with which means."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from study.config.errors import ConfigError, Problem, shown, unknown_key
from study.config.objectives import objective_problems
from study.config.sections import Strict
from study.config.space import (
    Space,
    compose,
    controlling_paths,
    is_active,
    parse_space,
    path_problem,
)
from study.config.trial import TrialConfig, flatten, pydantic_message

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
MAX_CELLS = 10_000


class SearchSection(Strict):
    """How the space is searched.

    ``points`` are tried first; a list in a point stands for each of its values.
    """

    space: dict[str, Any]
    sampler: Literal["tpe", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0)] = 0
    points: tuple[dict[str, Any], ...] = ()


class ObjectiveSection(Strict):
    """What a search optimises. Directions belong to the metrics."""

    metrics: tuple[str, ...] = ("service_error",)
    service_after: Annotated[float, Field(ge=0)] = 1.0
    allow_test_objective: bool = False


class BudgetSection(Strict):
    """When a search ends: ``trials`` proposals of the sampler, the points come on top."""

    trials: Annotated[int, Field(ge=0)] | None = None


class ResourcesSection(Strict):
    """What a trial may use, and where the study lives."""

    cpus_per_trial: Annotated[int, Field(ge=1)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0.0
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    storage_path: str | None = None
    checkpoint_every_s: Annotated[float, Field(ge=0)] = 60.0


class TrackingSection(Strict):
    """Where MLflow keeps what the study says; by default SQLite in the working directory."""

    uri: str | None = None
    experiment: Annotated[str, Field(min_length=1, max_length=200)] = "app-study"


_SECTIONS: dict[str, type[Strict]] = {
    "search": SearchSection,
    "objective": ObjectiveSection,
    "budget": BudgetSection,
    "resources": ResourcesSection,
    "tracking": TrackingSection,
}
TOP_LEVEL = (
    "name", "description", "fixed", "search", "axes", "objective", "budget", "resources",
    "tracking", "plugins",
)  # fmt: skip


@dataclass(frozen=True)
class StudyConfig:
    """A checked study.

    Attributes:
        fixed: Dotted path → value, the same for every trial.
        space: The searched paths; empty where nothing is searched.
        points: Chosen values of the trials that come first: points of a search, cells of axes.
        axes: Groups of path → values; the trials are every combination within each group.
    """

    name: str
    description: str
    fixed: Mapping[str, Any]
    space: Space
    points: tuple[Mapping[str, Any], ...]
    search: SearchSection | None
    axes: tuple[Mapping[str, tuple[Any, ...]], ...]
    objective: ObjectiveSection
    budget: BudgetSection
    resources: ResourcesSection
    tracking: TrackingSection
    plugins: tuple[str, ...]

    @property
    def num_proposals(self) -> int:
        """How many trials the sampler proposes; the points come on top."""
        return (self.budget.trials or 0) if self.search else 0

    @property
    def varied(self) -> tuple[str, ...]:
        """Every path that differs between trials."""
        on_axes = [path for group in self.axes for path in group]
        return tuple(dict.fromkeys([*self.space.paths, *on_axes]))

    def compose(self, chosen: Mapping[str, Any]) -> TrialConfig:
        """The trial with these values for what varies."""
        return compose(self.fixed, chosen, varied=self.varied)

    def corners(self) -> Iterator[TrialConfig]:
        """Every point, and the extremes of the space."""
        for chosen in self.points:
            yield self.compose(chosen)
        if self.search:
            for chosen in self.space.ends(self.fixed):
                yield self.compose(chosen)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that :func:`parse_study` reads back to an equal study."""
        made: dict[str, Any] = {"name": self.name, "description": self.description}
        made["fixed"] = dict(self.fixed)
        if self.search:
            made["search"] = self.search.model_dump()
        if self.axes:
            made["axes"] = [dict(group) for group in self.axes]
        for name in ("objective", "budget", "resources", "tracking"):
            made[name] = getattr(self, name).model_dump()
        made["plugins"] = self.plugins
        return made

    def fingerprint(self) -> str:
        """Hash over the whole configuration."""
        text = json.dumps(self.to_dict(), sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def renamed(self, name: str) -> "StudyConfig":
        """The same study under another name."""
        return parse_study({**self.to_dict(), "name": name})


def parse_study(raw: Mapping[str, Any]) -> StudyConfig:
    """A study from plain values, the user's plug-ins having been imported.

    Raises:
        ConfigError: With every problem found.
    """
    problems = [Problem(str(k), unknown_key(k, TOP_LEVEL)) for k in raw if k not in TOP_LEVEL]
    sections = _parse_sections(raw, problems)
    search = sections["search"]
    fixed = _flat_paths(raw.get("fixed", {}), "fixed", problems)
    axes = _axes(raw.get("axes", ()), problems)
    space = parse_space(search.space, problems) if search else Space()
    points = _points(search, fixed, space, axes, problems)
    study = StudyConfig(
        name=_name(raw, problems),
        description=_text(raw, "description", problems),
        fixed=fixed,
        space=space,
        points=points,
        search=search,
        axes=axes,
        objective=sections["objective"] or ObjectiveSection(),
        budget=sections["budget"] or BudgetSection(),
        resources=sections["resources"] or ResourcesSection(),
        tracking=sections["tracking"] or TrackingSection(),
        plugins=_plugins(raw, problems),
    )
    problems += _study_problems(study, raw)
    problems += _corner_problems(study)
    if problems:
        raise ConfigError(problems)
    return study


def _parse_sections(raw: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    parsed: dict[str, Any] = dict.fromkeys(_SECTIONS)
    for name, model in _SECTIONS.items():
        value = raw.get(name)
        if value is None and name not in raw:
            continue
        if not isinstance(value, Mapping):
            problems.append(Problem(name, f"must be a mapping, got {shown(value)}"))
            continue
        try:
            parsed[name] = model.model_validate(_top_lists_to_tuples(value))
        except pydantic.ValidationError as error:
            for item in error.errors():
                path = ".".join([name, *(str(part) for part in item["loc"])])
                if item["type"] == "extra_forbidden":
                    message = unknown_key(item["loc"][-1], list(model.model_fields))
                else:
                    message = pydantic_message(dict(item))
                problems.append(Problem(path, message))
    return parsed


def _top_lists_to_tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in section.items()}


def _name(raw: Mapping[str, Any], problems: list[Problem]) -> str:
    name = raw.get("name")
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    given = "must be given" if name is None else f"cannot be {shown(name)}"
    problems.append(
        Problem(
            "name",
            f"{given}: up to 80 letters, digits, '-', '_' and '.', the first a letter or digit",
        )
    )
    return "invalid"


def _text(raw: Mapping[str, Any], key: str, problems: list[Problem]) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str):
        problems.append(Problem(key, f"must be text, got {shown(value)}"))
        return ""
    return value


def _plugins(raw: Mapping[str, Any], problems: list[Problem]) -> tuple[str, ...]:
    value = raw.get("plugins", ())
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(value)
    problems.append(Problem("plugins", f"must be a list of module names, got {shown(value)}"))
    return ()


def _flat_paths(raw: Any, where: str, problems: list[Problem]) -> dict[str, Any]:
    """Nested or dotted values under ``where`` as path → value, unknown paths reported."""
    if not isinstance(raw, Mapping):
        problems.append(Problem(where, f"must be a mapping, got {shown(raw)}"))
        return {}
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        inner = flatten({key: value})
        for path, leaf in inner.items():
            problem = path_problem(path, where=where)
            if problem:
                problems.append(problem)
            elif path in flat:
                problems.append(Problem(f"{where}.{path}", "is given twice; keep one of them"))
            else:
                flat[path] = tuple(leaf) if isinstance(leaf, list) else leaf
    return flat


def _axes(raw: Any, problems: list[Problem]) -> tuple[dict[str, tuple[Any, ...]], ...]:
    """The groups under ``axes``: one mapping, or a list of them. A single value is a list of one."""
    groups = raw if isinstance(raw, list | tuple) else [raw] if raw else []
    made = []
    for index, group in enumerate(groups):
        where = f"axes.{index}" if isinstance(raw, list | tuple) else "axes"
        flat = _flat_paths(group, where, problems)
        axes = {p: v if isinstance(v, tuple) else (v,) for p, v in flat.items()}
        for path, values in axes.items():
            if not values:
                problems.append(Problem(f"{where}.{path}", "needs at least one value"))
            elif len({repr(v) for v in values}) < len(values):
                problems.append(Problem(f"{where}.{path}", "a value is given twice"))
        if _num_cells(axes) > MAX_CELLS:
            problems.append(Problem(where, f"{_num_cells(axes):,} trials; at most {MAX_CELLS:,}"))
            continue
        made.append(
            {
                path: tuple(tuple(v) if isinstance(v, list) else v for v in values)
                for path, values in axes.items()
            }
        )
    return tuple(made)


def _points(
    search: SearchSection | None,
    fixed: Mapping[str, Any],
    space: Space,
    axes: Sequence[Mapping[str, tuple[Any, ...]]],
    problems: list[Problem],
) -> tuple[Mapping[str, Any], ...]:
    if search is None:
        # No axes at all are one trial: what is fixed.
        return _unique((cell for group in axes or ({},) for cell in _cells(group)), fixed)
    points: list[Mapping[str, Any]] = []
    for index, raw in enumerate(search.points):
        where = f"search.points.{index}"
        flat = _flat_paths(raw, where, problems)
        lists = {path: v if isinstance(v, tuple) else (v,) for path, v in flat.items()}
        for chosen in _unique(_cells(lists), fixed):
            points.append(chosen)
            open_paths = [
                d.path
                for d in space.dimensions
                if d.path not in chosen and d.is_active({**fixed, **chosen})
            ]
            problems += [
                Problem(where, f"says nothing of {path}, which is searched; add it")
                for path in open_paths
            ]
    return tuple(points)


def _num_cells(axes: Mapping[str, Sequence[Any]]) -> int:
    count = 1
    for values in axes.values():
        count *= len(values)
    return count


def _cells(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _unique(
    cells: Iterator[dict[str, Any]], fixed: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Cells without the paths that have no meaning in them, each once."""
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        flat = {**fixed, **cell}
        kept = {p: v for p, v in cell.items() if is_active(p, flat)}
        found.setdefault(repr(sorted(kept.items())), kept)
    return tuple(found.values())


def _study_problems(study: StudyConfig, raw: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    if study.search is not None and study.axes:
        problems.append(
            Problem(
                "axes",
                "a study searches or runs axes, not both; put the axis under search.space as "
                "choices, or leave search out",
            )
        )
    if study.search is None:
        if study.budget.trials is not None:
            problems.append(
                Problem("budget.trials", "has no meaning without search; leave it out")
            )
    else:
        if "objective" not in raw:
            problems.append(
                Problem("objective", "a search needs one, e.g. metrics: [service_error]")
            )
        if study.budget.trials is None:
            problems.append(Problem("budget.trials", "a search needs a number of trials"))
        for path in study.space.paths:
            if path in study.fixed:
                problems.append(
                    Problem(f"search.space.{path}", "is fixed as well; keep one of them")
                )
    problems += [
        Problem(f"axes.{path}", "is fixed as well; keep one of them")
        for path in study.varied
        if path in study.fixed and path not in study.space.paths
    ]
    return problems + objective_problems(study)


def _corner_problems(study: StudyConfig) -> list[Problem]:
    problems: list[Problem] = []
    used: set[str] = set()
    chosen_sets: list[Mapping[str, Any]] = list(study.points)
    if study.search:
        chosen_sets += study.space.ends(study.fixed)
    for chosen in chosen_sets:
        try:
            trial = study.compose(chosen)
        except ConfigError as error:
            problems += [Problem(_located(study, p.path), p.message) for p in error.problems]
        else:
            used |= set(trial.flat())
    if not problems:
        problems += [
            Problem(
                f"fixed.{path}",
                f"belongs to no value of {' or '.join(controlling_paths(path))} that this study "
                f"uses; leave it out",
            )
            for path in study.fixed
            if path not in used and controlling_paths(path)
        ]
    return problems


def _located(study: StudyConfig, path: str) -> str:
    if path in study.space.paths:
        return f"search.space.{path}"
    if path in study.varied:
        return f"axes.{path}"
    return f"fixed.{path}" if path in study.fixed else path
