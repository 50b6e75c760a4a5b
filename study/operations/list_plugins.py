"""Every plug-in with its settings, for ``app-study plugins``."""

import dataclasses
from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from study.config.plugins import load_builtin_plugins, load_user_plugins
from study.config.sections import SECTIONS
from study.docstrings import summary
from study.registry import hyperparameters


def plugin_tables(modules: Sequence[str]) -> Iterator[Table]:
    """One table a plug-in point: name, what it is, settings with their defaults."""
    load_builtin_plugins()
    load_user_plugins(modules)
    for section_name, section in SECTIONS.items():
        for point, registry in section.plugin_points.items():
            table = Table(title=f"{section_name}.{point}", title_justify="left", box=None)
            table.add_column("name", style="bold", no_wrap=True)
            table.add_column("what it is")
            table.add_column("settings", no_wrap=True)
            for name in registry:
                cls = registry.get(name)
                table.add_row(name, escape(summary(cls)), escape(_settings(section_name, cls)))
            yield table


def _settings(section_name: str, cls: type) -> str:
    lines = []
    for name, field in hyperparameters(cls).items():
        default = "required" if field.default is dataclasses.MISSING else repr(field.default)
        lines.append(f"{section_name}.{name} = {default}")
    return "\n".join(lines)
