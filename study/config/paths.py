"""Dotted paths: which there are, and which have a meaning under the plug-ins chosen."""

from collections.abc import Mapping
from typing import Any

from study.config.problems import Problem, did_you_mean, shown, unknown_key
from study.config.section_parsing import as_tuples
from study.config.sections import (
    SECTIONS,
    TARGETS,
    PruningSection,
    field_annotations,
    owners,
)
from study.config.trial import flatten
from study.registry import hyperparameters


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
        is_known = isinstance(chosen, str) and chosen in registry
        return not is_known or bool(registry.get(chosen).takes_target)
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


def path_problem(path: str, *, where: str) -> Problem | None:
    """What is wrong with ``path`` as the path of a trial's value, or None."""
    if path == "seed":
        return None
    section_name, _, name = path.partition(".")
    section = SECTIONS.get(section_name)
    at = f"{where}.{path}"
    if section is None:
        return Problem(at, unknown_key(section_name, [*SECTIONS, "seed"]))
    if field_annotations(section, name):
        return None
    known = set(section.model_fields)
    for registry in section.plugin_points.values():
        for plugin in registry:
            known |= set(hyperparameters(registry.get(plugin)))
    paths = [f"{section_name}.{field}" for field in sorted(known)]
    if not name:
        return Problem(at, f"is a section, not a value; write paths such as {paths[0]}")
    return Problem(at, f"unknown path; {did_you_mean(path, paths)}")


def flat_paths(raw: Any, *, where: str, problems: list[Problem]) -> dict[str, Any]:
    """Nested or dotted values as path → value; what is wrong joins ``problems``."""
    if not isinstance(raw, Mapping):
        given = "is empty" if raw is None else f"must map paths to values, got {shown(raw)}"
        problems.append(Problem(where, f"{given}; write e.g. training.lr: 0.1, or leave it out"))
        return {}
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        problems += _empty_mappings(f"{where}.{key}", value)
        for path, leaf in flatten({key: value}).items():
            problem = path_problem(path, where=where)
            if problem:
                problems.append(problem)
            elif path in flat:
                problems.append(Problem(f"{where}.{path}", "is given twice; keep one of them"))
            else:
                flat[path] = as_tuples(leaf)
    return flat


def _empty_mappings(where: str, value: Any) -> list[Problem]:
    if not isinstance(value, Mapping):
        return []
    if not value:
        return [Problem(where, "holds nothing; give values, or leave it out")]
    return [p for key, inner in value.items() for p in _empty_mappings(f"{where}.{key}", inner)]
