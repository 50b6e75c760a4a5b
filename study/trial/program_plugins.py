"""Plug-ins that a notebook or a script defines: no worker can import them, so they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from study.config.problems import ConfigError, Problem
from study.config.sections import SECTIONS
from study.config.study_config import StudyConfig

_OURS = __name__.partition(".")[0]
_PROGRAM = "__main__"


@dataclass(frozen=True)
class UsedPlugin:
    """A plug-in that trials of a study use.

    Attributes:
        path: Where the study file names it, such as ``model.architecture``.
        name: Under which it is registered.
        cls: Pickled by value where a notebook or script defines it.
    """

    path: str
    name: str
    cls: type[Any]

    @property
    def is_of_program(self) -> bool:
        """Whether a notebook or a script defines it, which no worker can import."""
        return self.cls.__module__ == _PROGRAM


def program_plugins(study: StudyConfig) -> tuple[UsedPlugin, ...]:
    """The plug-ins of a study that its workers are to be sent.

    Raises:
        ConfigError: Others come from modules that workers do not import.
    """
    used = tuple(_used(study))
    known = {_OURS, _PROGRAM, *(name.partition(".")[0] for name in study.plugins)}
    problems = [
        Problem(
            plugin.path,
            f"{plugin.name!r} comes from the module {plugin.cls.__module__}, which workers do not "
            f"import; write plugins: [{plugin.cls.__module__}]",
        )
        for plugin in used
        if plugin.cls.__module__.partition(".")[0] not in known
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(plugin for plugin in used if plugin.is_of_program)


def register_plugins(plugins: Iterable[UsedPlugin]) -> None:
    """Make plug-ins known in this process, a worker."""
    for plugin in plugins:
        section, _, point = plugin.path.partition(".")
        SECTIONS[section].plugin_points[point].register(plugin.name)(plugin.cls)


def _used(study: StudyConfig) -> Iterator[UsedPlugin]:
    """Each once."""
    seen = set()
    for trial in study.corners():
        for section, model in SECTIONS.items():
            for point, registry in model.plugin_points.items():
                path, name = f"{section}.{point}", getattr(getattr(trial, section), point)
                if (path, name) not in seen:
                    seen.add((path, name))
                    yield UsedPlugin(path, name, registry.get(name))
