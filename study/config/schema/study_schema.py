"""The JSON Schema of a study file, for editors: what it may hold, as far as one value tells.

What must hold between settings (:mod:`study.config.rules`), and what a plug-in refuses, is left
to ``app-study validate``.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from study.config.plugins import load_builtin_plugins, load_user_plugins
from study.config.rules.objective import trial_metrics
from study.config.schema.path_mappings import (
    domain,
    gives,
    one_or_several,
    reference,
    settings_of_any,
    settings_of_choice,
    values_by_path,
)
from study.config.schema.trial_values import (
    PluginPoint,
    all_values,
    plugin_points,
    unconditional_values,
)
from study.config.schema.values import ENUM_DESCRIPTIONS, Json, mapping_of
from study.config.study_sections import STUDY_SECTIONS
from study.constraints import FORM
from study.files import NAME
from study.metrics import METRICS

DIALECT = "http://json-schema.org/draft-07/schema#"
_DESCRIPTIONS = {
    "name": "One study in its store; launched again once it is finished, it is NAME-2.",
    "description": "What the study asks, for people.",
    "fixed": "Dotted path → value, the same for every trial; what is left out has its default.",
    "search": "How the space is searched.",
    "axes": "Instead of search: lists of values, every combination once; or several groups.",
    "objective": "What a search optimises.",
    "budget": "When a study ends, and when a trial is given up.",
    "resources": "What a trial may use, and where the study lives and runs.",
    "tracking": "Where MLflow keeps what the study logs.",
    "confirm": "Run the best of the search again with fresh seeds, in the same launch.",
    "confirms": "Written by `app-study confirm`: whose trials the groups of axes run again.",
    "plugins": "Modules of your own to import; `app-study schema MODULE` tells editors of them.",
}


def study_schema(modules: Sequence[str] = ()) -> Json:
    """The schema of a study file, with what the user's ``modules`` register.

    Raises:
        PluginImportError: Modules are missing or fail while they are imported.
    """
    load_builtin_plugins()
    load_user_plugins(modules)
    is_known = {"items": {"enum": list(modules)}} if modules else {"maxItems": 0}
    values, points = all_values(), plugin_points()
    return {
        "$schema": DIALECT,
        "title": "A study of Anytime Progressive Pruning",
        "type": "object",
        "properties": _top_level(),
        "required": ["name"],
        "additionalProperties": False,
        # What modules register that are not imported here is unknown.
        "if": {"properties": {"plugins": is_known}},
        "then": {"properties": _BY_PATH, "allOf": _conditional(points)},
        "definitions": {**_mappings(values, points), **values},
    }


def schema_text(modules: Sequence[str] = ()) -> str:
    """The schema as JSON; see :func:`study_schema`."""
    return f"{json.dumps(study_schema(modules), indent=1, ensure_ascii=False)}\n"


def _top_level() -> Json:
    """Key → its schema, but for what is said by path."""
    sections = {name: mapping_of(model) for name, model in STUDY_SECTIONS.items()}
    names = trial_metrics()
    metric = {"enum": names, ENUM_DESCRIPTIONS: [METRICS[name].description for name in names]}
    sections["objective"]["properties"]["metrics"] |= {
        "items": metric,
        "minItems": 1,
        "uniqueItems": True,
    }
    sections["objective"]["properties"]["constraints"]["items"]["pattern"] = f"^{FORM.pattern}$"
    properties: Json = {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$(?!\n)"},
        "description": {"type": "string"},
        "fixed": {"type": "object"},
        "axes": {"type": ["object", "array"], "items": {"type": "object"}, "minItems": 1},
        **sections,
        "plugins": {"type": "array", "items": {"type": "string"}},
    }
    return {key: {**properties[key], "description": text} for key, text in _DESCRIPTIONS.items()}


_BY_PATH: Json = {
    "fixed": {"$ref": "#/definitions/fixed"},
    "axes": {
        "if": {"type": "array"},
        "then": {"items": {"$ref": "#/definitions/cells"}},
        "else": {"$ref": "#/definitions/cells"},
    },
    "search": {
        "properties": {
            "space": {"$ref": "#/definitions/space"},
            "points": {"items": {"$ref": "#/definitions/cells"}},
        }
    },
}


def _mappings(values: Mapping[str, Json], points: Sequence[PluginPoint]) -> Json:
    """The definitions of what maps paths to values."""
    of_plugins = {path for point in points for path in point.settings}
    always = {path: reference(path) for path in unconditional_values()}
    conditions = {path: _condition(path) for path in values}
    closed = {"type": "object", "additionalProperties": False}
    return {
        "fixed": values_by_path(always, also=of_plugins),
        "cells": values_by_path({path: one_or_several(path, v) for path, v in values.items()}),
        "space": {**closed, "properties": {path: domain(path, v) for path, v in values.items()}},
        "when": {**closed, "properties": conditions},
    }


def _condition(path: str) -> Json:
    """The values under which another path exists; what is no value of ``path`` is never met."""
    return {
        "anyOf": [reference(path), {"type": "array", "minItems": 1}, {"not": {"type": "array"}}]
    }


def _conditional(points: Sequence[PluginPoint]) -> list[Json]:
    """For each plug-in point: which settings may be fixed."""
    num_owners = Counter(path for point in points for path in point.settings)
    shared = {path for path, number in num_owners.items() if number > 1}
    return [
        {
            "if": _varies(point.path),
            "then": {"properties": {"fixed": settings_of_any(point)}},
            "else": {"properties": {"fixed": settings_of_choice(point, shared)}},
        }
        for point in points
    ]


def _varies(path: str) -> Json:
    """Whether a study has several values of ``path``, or one that its trials override."""
    inside: Json = {"type": "object", "required": [path]}
    some: Json = {"type": "array", "contains": gives(path)}
    space = {"properties": {"space": inside}, "required": ["space"]}
    points = {"properties": {"points": some}, "required": ["points"]}
    search = {"type": "object", "anyOf": [space, points]}
    axes = {"anyOf": [gives(path), some]}
    return {
        "anyOf": [
            {"properties": {"search": search}, "required": ["search"]},
            {"properties": {"axes": axes}, "required": ["axes"]},
        ]
    }
