"""The JSON Schemas of what maps dotted paths to values: ``fixed``, points and axes, a space."""

from collections.abc import Collection, Mapping
from typing import Any

from study.config.schema.trial_values import TARGET_PATHS, PluginChoice, PluginPoint
from study.config.schema.values import Json, has_lists, number_of, single_of

# Of editors: what is valid, but no completion.
_NOT_OFFERED = {"doNotSuggest": True}


def reference(path: str) -> Json:
    """The schema of the values of ``path``, among the definitions."""
    return {"$ref": f"#/definitions/{path}"}


def values_by_path(values: Mapping[str, Any], *, also: Collection[str] = ()) -> Json:
    """A mapping of the paths of ``values``, dotted or nested, to values of their schemas.

    Args:
        values: Path → schema.
        also: Paths that may be given, of which another schema says more.
    """
    more = _by_section({path: {} for path in also})
    sections = {
        section: {**_closed(inner, more.get(section, {})), "minProperties": 1}
        for section, inner in _by_section(values).items()
    }
    return _closed({**sections, **values}, also)


def _closed(properties: Mapping[str, Any], also: Collection[str]) -> Json:
    schema: Json = {"type": "object", "properties": dict(properties)}
    if also:  # a pattern is not offered as a completion
        names = "|".join(name.replace(".", "[.]") for name in sorted(also))
        schema["patternProperties"] = {f"^({names})$": {}}
    return {**schema, "additionalProperties": False}


def _by_section(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Section → name → schema; what has no section is left out."""
    sections: dict[str, dict[str, Any]] = {}
    for path, schema in values.items():
        section, dot, name = path.partition(".")
        if dot:
            sections.setdefault(section, {})[name] = schema
    return sections


def settings_of_choice(point: PluginPoint, elsewhere: Collection[str]) -> Json:
    """Where a mapping chooses a plug-in at ``point``, of their settings its own may be given.

    Args:
        point: The plug-in point.
        elsewhere: Paths that another plug-in point has as well.
    """
    absent = {path: _absent(path) for path in point.settings if path not in elsewhere}
    rules = [
        {"if": _chooses(point, choice), "then": _given({**absent, **choice.settings})}
        for choice in point.choices
    ]
    return {"allOf": rules}


def settings_of_any(point: PluginPoint) -> Json:
    """The settings of all plug-ins at ``point``, for a study that varies which it is."""
    return _given({path: reference(path) for path in point.settings})


def _absent(path: str) -> Json | bool:
    """What may be given for a setting that has no meaning: nothing, for a target null too."""
    return {"type": "null", **_NOT_OFFERED} if path in TARGET_PATHS else False


def _given(settings: Mapping[str, Any]) -> Json:
    nested = {
        section: {"properties": inner, **_NOT_OFFERED}
        for section, inner in _by_section(settings).items()
    }
    return {"properties": {**settings, **nested}}


def _chooses(point: PluginPoint, choice: PluginChoice) -> Json:
    """Whether a mapping chooses one of ``choice``, by its default too."""
    section, _, name = point.path.partition(".")
    names = {"enum": list(choice.names)}
    nested = {"properties": {name: names}, "required": [name]}
    ways: list[Json] = [
        {"properties": {point.path: names}, "required": [point.path]},
        {"properties": {section: nested}, "required": [section]},
    ]
    if point.default in choice.names:
        ways.append({"not": gives(point.path)})
    return {"anyOf": ways}


def gives(path: str) -> Json:
    """Whether a mapping has ``path``, dotted or nested."""
    section, _, name = path.partition(".")
    inner: Json = {"type": "object", "required": [name]}
    nested = {"properties": {section: inner}, "required": [section]}
    return {"type": "object", "anyOf": [{"required": [path]}, nested]}


def one_or_several(path: str, value: Json) -> Json:
    """A value of ``path``, or a list of values of which each is meant.

    Args:
        path: The path.
        value: Schema of its values.
    """
    several: Json = {"type": "array", "items": reference(path), "minItems": 1}
    if not has_lists(value):
        return {"anyOf": [reference(path), several]}
    single = single_of(value)
    return {"anyOf": [single, several]} if single else several


def domain(path: str, value: Json) -> Json:
    """What may be searched for ``path``: a list of choices, or a mapping with them or a range.

    Args:
        path: The path.
        value: Schema of its values.
    """
    choices: Json = {"items": reference(path), "minItems": 1}
    schema: Json = {"type": ["array", "object"], **choices}
    properties: Json = {
        "choices": {"type": "array", **choices},
        "when": {"$ref": "#/definitions/when"},
    }
    number = number_of(value)
    if number is None:
        closed = {"properties": properties, "additionalProperties": False}
        return {**schema, **closed, "required": ["choices"]}
    kind = number.get("type", "number")
    properties |= {
        "low": number,
        "high": number,
        "log": {"type": "boolean", "default": False},
        "step": {"anyOf": [{"type": kind, "exclusiveMinimum": 0}, {"type": "null"}]},
    }
    no_range = {"properties": dict.fromkeys(("low", "high", "log", "step"), False)}
    return {
        **schema,
        "properties": properties,
        "additionalProperties": False,
        "if": {"required": ["choices"]},
        "then": no_range,
        "else": {"required": ["low", "high"]},
    }
