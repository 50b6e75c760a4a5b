"""From the plain values of one section of a trial to the typed section, its plug-ins checked."""

from collections.abc import Mapping
from typing import Any

import pydantic

from study.config.problems import Problem, did_you_mean, pydantic_message, shown, unknown_key
from study.config.sections import SECTIONS, Section, owners, section_model
from study.registry import nearest


def parse_section(name: str, raw: Any) -> tuple[Section | None, list[Problem]]:
    """The section called ``name``, or None with what is wrong with it."""
    if not isinstance(raw, Mapping):
        return None, [Problem(name, f"must be a mapping, got {shown(raw)}")]
    section = SECTIONS[name]
    raw = {str(key): as_tuples(value) for key, value in raw.items()}
    problems = _unknown_plugins(name, section, raw)
    chosen = section.choose(raw)
    complete = len(chosen) == len(section.plugin_points)
    model = section_model(section, tuple(chosen.values()))
    try:
        parsed = model.model_validate(raw)
    except pydantic.ValidationError as error:
        # A field of a plug-in whose name is misspelt is no second mistake.
        problems += [
            _problem(name, section, model, dict(item))
            for item in error.errors()
            if complete or item["type"] != "extra_forbidden"
        ]
        return None, problems
    problems = problems or _refusals(name, parsed)
    return (None if problems else parsed), problems


def as_tuples(value: Any) -> Any:
    """``value`` with every list in it a tuple."""
    if isinstance(value, list | tuple):
        return tuple(as_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {key: as_tuples(item) for key, item in value.items()}
    return value


def _unknown_plugins(name: str, section: type[Section], raw: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for point, registry in section.plugin_points.items():
        value = raw.get(point)
        if isinstance(value, str) and value not in registry:
            message = f"unknown {registry.kind} {shown(value)}; "
            message += did_you_mean(value, registry.names())
            problems.append(Problem(f"{name}.{point}", message))
    return problems


def _refusals(name: str, parsed: Section) -> list[Problem]:
    """The settings that the chosen plug-ins refuse."""
    problems = []
    for point in parsed.plugin_points:
        try:
            parsed.plugin(point)
        except ValueError as error:
            problems.append(plugin_problem(name, parsed, point, error))
    return problems


def plugin_problem(name: str, parsed: Section, point: str, error: ValueError) -> Problem:
    """A plug-in's refusal, at the setting that its message begins with, else at its point."""
    first, _, rest = str(error).partition(" ")
    if rest and first in type(parsed).model_fields:
        return Problem(f"{name}.{first}", rest)
    return Problem(f"{name}.{point}", str(error))


def _problem(
    name: str, section: type[Section], model: type[Section], item: dict[str, Any]
) -> Problem:
    path = ".".join([name, *(str(part) for part in item["loc"])])
    if item["type"] != "extra_forbidden":
        return Problem(path, pydantic_message(item))
    key = str(item["loc"][0])
    owned_by = owners(section, key)
    if owned_by:
        point, names = next(iter(owned_by.items()))
        kind = section.plugin_points[point].kind
        return Problem(
            path, f"belongs to the {kind} {' or '.join(names)} alone; choose it, or leave this out"
        )
    known = list(model.model_fields)
    elsewhere = next((n for n, cls in SECTIONS.items() if key in cls.model_fields), None)
    if elsewhere and nearest(key, known) is None:
        return Problem(path, f"unknown key; did you mean '{elsewhere}.{key}'?")
    return Problem(path, unknown_key(key, known))
