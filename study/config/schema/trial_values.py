"""Every dotted path of a trial with the schema of its values, the plug-ins' own settings too."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from study.config.schema.values import ENUM_DESCRIPTIONS, Json, either, fields_of
from study.config.sections import SECTIONS, TARGETS, Seed, Strict, section_model
from study.docstrings import summary
from study.registry import Registry, hyperparameters

# Keys of every trial, which only schedules with a target give a meaning to.
TARGET_PATHS = tuple(f"pruning.{name}" for name in TARGETS)


class _Trial(Strict):
    """What a trial has beside its sections.

    Attributes:
        seed: Of everything that is drawn but the splits of the data.
    """

    seed: Seed = 0


@dataclass(frozen=True)
class PluginChoice:
    """Plug-ins of one point that have the same settings.

    Attributes:
        names: What they are registered under.
        settings: Dotted path → its schema, for what exists under these plug-ins.
    """

    names: tuple[str, ...]
    settings: Mapping[str, Json]


@dataclass(frozen=True)
class PluginPoint:
    """A path whose value is a plug-in's name, on which other paths depend."""

    path: str
    default: str
    choices: tuple[PluginChoice, ...]

    @property
    def settings(self) -> dict[str, Json]:
        """Path → its schema, under whichever of the plug-ins has it."""
        found: dict[str, list[Json]] = {}
        for choice in self.choices:
            for path, schema in choice.settings.items():
                found.setdefault(path, []).append(schema)
        return {path: either(schemas) for path, schemas in found.items()}


def _own_fields(section: str, cls: type) -> dict[str, Json]:
    names = hyperparameters(cls)
    fields = fields_of(section_model(SECTIONS[section], (cls,)), cls) if names else {}
    return {f"{section}.{name}": fields[name] for name in names}


def plugin_points() -> tuple[PluginPoint, ...]:
    """All of them, with the plug-ins that are registered now."""
    return tuple(
        PluginPoint(
            f"{name}.{point}",
            section.model_fields[point].default,
            tuple(_choices(name, point, registry)),
        )
        for name, section in SECTIONS.items()
        for point, registry in section.plugin_points.items()
    )


def _choices(section: str, point: str, registry: Registry[object]) -> Iterator[PluginChoice]:
    grouped: dict[str, tuple[list[str], dict[str, Json]]] = {}
    for name in registry:
        cls = registry.get(name)
        settings = dict(_own_fields(section, cls))
        if (section, point) == ("pruning", "schedule") and cls.takes_target:  # type: ignore[attr-defined]  # a schedule's
            settings |= {path: _base_values()[path] for path in TARGET_PATHS}
        names, _ = grouped.setdefault(repr(settings), ([], settings))
        names.append(name)
    for names, settings in grouped.values():
        yield PluginChoice(tuple(names), settings)


def _base_values() -> dict[str, Json]:
    """Path → its schema, for the paths that are no plug-in's own."""
    found: dict[str, Json] = {}
    for name, section in SECTIONS.items():
        fields = fields_of(section)
        for point, registry in section.plugin_points.items():
            described = [summary(registry.get(plugin)) for plugin in registry]
            fields[point] |= {"enum": registry.names(), ENUM_DESCRIPTIONS: described}
        found |= {f"{name}.{field}": schema for field, schema in fields.items()}
    return found | fields_of(_Trial)


def unconditional_values() -> dict[str, Json]:
    """Path → its schema, for the paths that exist under every plug-in."""
    return {path: schema for path, schema in _base_values().items() if path not in TARGET_PATHS}


def all_values() -> dict[str, Json]:
    """Path → its schema, for every path; under whichever plug-ins have it."""
    found = {path: [schema] for path, schema in unconditional_values().items()}
    for point in plugin_points():
        for path, schema in point.settings.items():
            found.setdefault(path, []).append(schema)
    return {path: either(schemas) for path, schemas in sorted(found.items())}
