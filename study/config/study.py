"""A whole study: what is fixed, what varies, what is optimised, with which means."""

from collections.abc import Mapping
from typing import Any

from study.config.arms import arms_of, in_turns
from study.config.paths import flat_paths
from study.config.points import cells_of_axes, parse_axes, parse_points
from study.config.problems import ConfigError, Problem, shown, unknown_key
from study.config.rules.arms import arms_problems
from study.config.rules.objective import charge_problems, objective_problems
from study.config.rules.search import search_problems
from study.config.rules.study import corner_problems, leftover_problems, study_problems
from study.config.space import Space, parse_space
from study.config.study_config import TOP_LEVEL, StudyConfig
from study.config.study_sections import (
    BudgetSection,
    ObjectiveSection,
    ResourcesSection,
    TrackingSection,
    parse_study_sections,
)
from study.files import NAME

_PLACES_OF_VALUES = ("fixed.", "search.", "axes.")


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
    axes = parse_axes(raw["axes"], fixed, problems) if "axes" in raw else ()
    space = parse_space(search.space, problems) if search else Space()
    if search:
        points_at = parse_points(search.points, fixed, space, problems)
    else:
        points_at = {"axes": cells_of_axes(axes, fixed)}
    points = tuple(point for points in points_at.values() for point in points)
    if search:
        points = in_turns(points, arms_of(search.arms, space, fixed))
    study = StudyConfig(
        name=name,
        description=description,
        fixed=fixed,
        space=space,
        points=points,
        search=search,
        axes=axes,
        objective=sections["objective"] or ObjectiveSection(),
        budget=sections["budget"] or BudgetSection(),
        resources=sections["resources"] or ResourcesSection(),
        tracking=sections["tracking"] or TrackingSection(),
        plugins=plugins,
        confirm=sections["confirm"],
        confirms=sections["confirms"],
    )
    is_whole = not problems
    problems += [*study_problems(study, raw), *objective_problems(study)]
    found = corner_problems(study, points_at)
    # Where a part could not be read, what the rest lacks is no second mistake.
    problems += [p for p in found if is_whole or p.path.startswith(_PLACES_OF_VALUES)]
    if is_whole:
        problems += [*charge_problems(study), *search_problems(study), *arms_problems(study)]
    if problems or (problems := leftover_problems(study, points_at)):
        raise ConfigError(problems)
    return study


def plain_study(raw: Any) -> Mapping[str, Any]:
    """``raw``, which a study file says.

    Raises:
        ConfigError: It says nothing, or is no mapping.
    """
    if raw is None:
        raise ConfigError([Problem("", "is empty; a study needs at least name and fixed")])
    if not isinstance(raw, Mapping):
        raise ConfigError(
            [Problem("", f"must be a mapping of keys such as name and fixed, got {shown(raw)}")]
        )
    return raw


def renamed(study: StudyConfig, name: str) -> StudyConfig:
    """The same study under another name.

    Raises:
        ConfigError: No study can be called that.
    """
    return parse_study({**study.to_dict(), "name": name})


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
