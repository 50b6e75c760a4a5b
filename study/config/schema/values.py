"""The JSON Schema of one value: its kinds and limits, what it is for, and its default.

Schemas are of draft 7, which every editor reads, with the one keyword that VS Code and
yaml-language-server have beside it to describe the members of an enumeration.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from study.docstrings import attribute_docs

Json = dict[str, Any]
ENUM_DESCRIPTIONS = "markdownEnumDescriptions"
# What says nothing of which values are valid.
_NOTES = frozenset({"default", "description", ENUM_DESCRIPTIONS})
# Pydantic's names that draft 7 has others for.
_NAMES = {"prefixItems": "items", "ge": "minimum", "le": "maximum"}


def fields_of(model: type[BaseModel], *documented_by: type) -> dict[str, Json]:
    """Field → its schema.

    Args:
        model: Whose fields they are.
        documented_by: Classes whose docstrings describe more of them than the model's own.
    """
    made = model.model_json_schema()
    classes = (model, *documented_by)
    docs = {name: text for cls in classes for name, text in attribute_docs(cls).items()}
    fields = {}
    for name, field in made["properties"].items():
        kind = model.model_fields[name].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields[name] = mapping_of(kind)
        else:
            fields[name] = _plain(field, made.get("$defs", {}))
        if name in docs:
            fields[name]["description"] = docs[name].replace("``", "`")
        if fields[name].get("default", ...) is None:  # an editor would write it
            del fields[name]["default"]
    return fields


def mapping_of(model: type[BaseModel]) -> Json:
    """The schema of a mapping with the fields of ``model`` and no others."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    schema: Json = {"type": "object", "properties": fields_of(model)}
    return schema | {"additionalProperties": False} | ({"required": required} if required else {})


def _plain(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Pydantic's schema without references, titles and docstrings, in the words of draft 7."""
    if isinstance(schema, list):
        return [_plain(item, definitions) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        _NAMES.get(key, key): _inner(key, value, definitions)
        for key, value in schema.items()
        if key not in ("title", "description")
    }


def _inner(key: str, value: Any, definitions: Mapping[str, Any]) -> Any:
    """The value of a keyword; the names of properties are no keywords."""
    if key == "properties":
        return {name: _plain(field, definitions) for name, field in value.items()}
    return value if key in ("default", "enum", "const") else _plain(value, definitions)


def either(schemas: Sequence[Json]) -> Json:
    """A value that one of ``schemas`` allows; what all say of it besides is kept."""
    first, *others = schemas
    if any(_meaning(other) != _meaning(first) for other in others):
        return {"anyOf": [s for i, s in enumerate(schemas) if s not in schemas[:i]]}
    shared = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    descriptions = dict.fromkeys(s["description"] for s in schemas if "description" in s)
    return shared | ({"description": " Or: ".join(descriptions)} if descriptions else {})


def number_of(schema: Json) -> Json | None:
    """The numbers among the values; None where there are none."""
    numbers = [kind for kind in _kinds(schema) if kind.get("type") in ("integer", "number")]
    return either(numbers) if numbers else None


def single_of(schema: Json) -> Json | None:
    """The values that are no lists; None where all are."""
    singles = [kind for kind in _kinds(schema) if kind.get("type") != "array"]
    return either(singles) if singles else None


def has_lists(schema: Json) -> bool:
    """Whether there are lists among the values."""
    return any(kind.get("type") == "array" for kind in _kinds(schema))


def _kinds(schema: Json) -> list[Json]:
    """The schemas of which one must hold."""
    if "anyOf" not in schema:
        return [_meaning(schema)]
    return [kind for part in schema["anyOf"] for kind in _kinds(part)]


def _meaning(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key not in _NOTES}
