"""A whole study: what is fixed, what varies, what is optimised, with which means."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from study.config.addresses import NAME
from study.config.errors import ConfigError, Problem, shown, unknown_key
from study.config.objectives import charge_problems, objective_problems
from study.config.paths import flat_paths
from study.config.points import MAX_CELLS, Axes, cells_of_axes, parse_axes, parse_points
from study.config.search_rules import search_problems
from study.config.space import Space, compose, parse_space
from study.config.study_rules import corner_problems, leftover_problems, study_problems
from study.config.study_sections import (
    BudgetSection,
    ConfirmedArm,
    ConfirmsSection,
    ObjectiveSection,
    ResourcesSection,
    SearchSection,
    TrackingSection,
    parse_study_sections,
)
from study.config.trial import TrialConfig

__all__ = ["NAME", "TOP_LEVEL", "ResourcesSection", "StudyConfig", "parse_study"]

TOP_LEVEL = (
    "name", "description", "fixed", "search", "axes", "objective", "budget", "resources",
    "tracking", "confirms", "plugins",
)  # fmt: skip
_PLACES_OF_VALUES = ("fixed.", "search.", "axes.")


@dataclass(frozen=True)
class StudyConfig:
    """A checked study.

    Attributes:
        fixed: Dotted path → value, the same for every trial.
        space: The searched paths; empty where nothing is searched.
        points: Chosen values of the trials that come first: points of a search, cells of axes.
        axes: Groups of path → values; the trials are every combination within each group.
        confirms: The study whose best trials this one runs again, if it does.
    """

    name: str
    description: str
    fixed: Mapping[str, Any]
    space: Space
    points: tuple[Mapping[str, Any], ...]
    search: SearchSection | None
    axes: tuple[Axes, ...]
    objective: ObjectiveSection
    budget: BudgetSection
    resources: ResourcesSection
    tracking: TrackingSection
    plugins: tuple[str, ...]
    confirms: ConfirmsSection | None = None

    @property
    def num_proposals(self) -> int:
        """How many trials the sampler proposes; the points come on top."""
        if self.search is None:
            return 0
        if self.search.sampler == "grid":
            trials = MAX_CELLS if self.budget.trials is None else self.budget.trials
            return len(self.space.cells(self.fixed, limit=trials))
        return self.budget.trials or 0

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

    def arms(self) -> dict[str, ConfirmedArm]:
        """Trial key → what the trial is to the study that is confirmed; empty if none is."""
        if self.confirms is None:
            return {}
        return {
            self.compose(chosen).key(): arm
            for group, arm in zip(self.axes, self.confirms.arms, strict=True)
            for chosen in cells_of_axes((group,), self.fixed)
        }

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
        if self.confirms:
            made["confirms"] = self.confirms.model_dump(exclude_defaults=True)
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
    name = _name(raw, problems)
    description = _text(raw, "description", problems)
    plugins = _plugins(raw, problems)
    sections = parse_study_sections(raw, problems)
    search = sections["search"]
    fixed = flat_paths(raw.get("fixed", {}), where="fixed", problems=problems)
    axes = parse_axes(raw["axes"], problems) if "axes" in raw else ()
    space = parse_space(search.space, problems) if search else Space()
    if search:
        places = parse_points(search.points, fixed, space, problems)
    else:
        places = {"axes": cells_of_axes(axes, fixed)}
    study = StudyConfig(
        name=name,
        description=description,
        fixed=fixed,
        space=space,
        points=tuple(point for points in places.values() for point in points),
        search=search,
        axes=axes,
        objective=sections["objective"] or ObjectiveSection(),
        budget=sections["budget"] or BudgetSection(),
        resources=sections["resources"] or ResourcesSection(),
        tracking=sections["tracking"] or TrackingSection(),
        plugins=plugins,
        confirms=sections["confirms"],
    )
    is_whole = not problems
    problems += [*study_problems(study, raw), *objective_problems(study)]
    found = corner_problems(study, places)
    # Where a part could not be read, what the rest lacks is no second mistake.
    problems += [p for p in found if is_whole or p.path.startswith(_PLACES_OF_VALUES)]
    if is_whole:
        problems += [*charge_problems(study), *search_problems(study)]
    if problems or (problems := leftover_problems(study, places)):
        raise ConfigError(problems)
    return study


def _name(raw: Mapping[str, Any], problems: list[Problem]) -> str:
    name = raw.get("name")
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    given = "must be given" if name is None else f"cannot be {shown(name)}"
    problems.append(
        Problem(
            "name",
            f"{given}: up to 80 letters, digits, '-', '_' and '.', the first a letter or digit, "
            f"the last no '.', and no name of a device such as con or nul",
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
    problems.append(
        Problem(
            "plugins",
            f"must be a list of module names, e.g. [my_lab.criteria], got {shown(value)}",
        )
    )
    return ()
