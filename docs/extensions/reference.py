"""The reference, written from the commands, the registries, the schema and the metrics."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield "| " + " | ".join(_cell(text) for text in row) + " |"
    yield ""


def _cell(text: str) -> str:
    """A text as a cell: no bar ends it, and nothing outside of code is taken for HTML."""
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "\\<") for part in parts[::2]]
    return " ".join("`".join(parts).split())


def commands(program: str) -> Iterator[str]:
    """Every command of a program, with its arguments and options."""
    import typer.main

    module = {"app-study": "study.cli", "app-report": "analysis.cli"}[program]
    group = typer.main.get_command(__import__(module, fromlist=["app"]).app)
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]  # a group
        yield f"### {program} {name}"
        yield ""
        yield " ".join((command.help or "").split("\n\n")[0].split())
        yield ""
        rows = [_parameter(p) for p in command.params if not p.hidden and p.name != "help"]
        if rows:
            yield from table(["parameter", "default", "what it is"], rows)


def _parameter(parameter: Any) -> list[str]:
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    shown = names if is_option else f"`{parameter.metavar or parameter.name.upper()}`"
    default = parameter.default
    is_plain = isinstance(default, str | int | float) and default not in ("", False)
    return [shown, f"`{default}`" if is_plain else "", parameter.help or ""]


def plugins(_: str) -> Iterator[str]:
    """Every plug-in by the setting that names it, with its own settings."""
    from study.config.plugins import load_builtin_plugins
    from study.config.sections import SECTIONS
    from study.docstrings import summary
    from study.registry import hyperparameters

    load_builtin_plugins()
    for section_name, section in SECTIONS.items():
        for point, registry in section.plugin_points.items():
            yield f"## {section_name}.{point}"
            yield ""
            rows = [
                [
                    f"`{name}`",
                    summary(registry.get(name)),
                    ", ".join(
                        f"`{section_name}.{field.name} = {_default(field)}`"
                        for field in hyperparameters(registry.get(name)).values()
                    ),
                ]
                for name in registry
            ]
            yield from table(["name", "what it is", "its settings"], rows)


def _default(field: "dataclasses.Field[object]") -> str:
    return "required" if field.default is dataclasses.MISSING else repr(field.default)


def metrics(_: str) -> Iterator[str]:
    """Every metric: which way is better, when it is measured, and what it is."""
    from study.metrics import METRICS

    rows = [[f"`{m.name}`", m.direction, m.scope, m.description] for m in METRICS.values()]
    yield from table(["metric", "better", "measured of", "what it is"], rows)


def settings(_: str) -> Iterator[str]:
    """Every key of a study file and every setting of a trial, from the JSON schema."""
    schema = json.loads((ROOT / "search_spaces" / "study.schema.json").read_text("utf-8"))
    for section, entry in schema["properties"].items():
        inner = entry.get("properties")
        yield f"## {section}"
        yield ""
        if entry.get("description"):
            yield entry["description"]
            yield ""
        if inner:
            rows = [_setting(f"{section}.{key}", value) for key, value in inner.items()]
            yield from table(["key", "default", "values", "what it is"], rows)
    yield "## Settings of a trial"
    yield ""
    paths = {k: v for k, v in schema["definitions"].items() if "." in k or k == "seed"}
    rows = [_setting(path, value) for path, value in sorted(paths.items())]
    yield from table(["path", "default", "values", "what it is"], rows)


def _setting(name: str, entry: Mapping[str, Any]) -> list[str]:
    default = entry.get("default")
    shown = "" if default is None else f"`{json.dumps(default)}`"
    return [f"`{name}`", shown, _values(entry), entry.get("description", "")]


_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
}
_MOST_LISTED = 12
_NO_LIMIT = 2**31  # that of the machine's numbers


def _values(entry: Mapping[str, Any]) -> str:
    """Which values it takes, in words."""
    if "anyOf" in entry:
        parts = [part for part in entry["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, map(_values, parts))))
    if "enum" in entry:
        listed = [f"`{value}`" for value in entry["enum"]]
        return ", ".join(listed) if len(listed) <= _MOST_LISTED else f"one of {len(listed)} names"
    limits = [
        text.format(entry[key])
        for key, text in _LIMITS.items()
        if key in entry and abs(entry[key]) < _NO_LIMIT
    ]
    kind = {"array": "list", "object": "mapping", "string": "text"}.get(
        str(entry.get("type", "")), str(entry.get("type", ""))
    )
    return ", ".join(filter(None, [kind, *limits]))


def examples(_: str) -> Iterator[str]:
    """The study files that come with the package."""
    from study.config.loading import load_study

    rows = []
    for path in sorted((ROOT / "search_spaces").rglob("*.yaml")):
        study = load_study(path)
        shown = path.relative_to(ROOT).as_posix()
        rows.append([f"[{shown}](../../{shown})", study.description])
    yield from table(["file", "what it asks"], rows)


WRITERS: dict[str, Callable[[str], Iterator[str]]] = {
    writer.__name__: writer for writer in (commands, plugins, metrics, settings, examples)
}


class Generated(SphinxDirective):
    """What one of :data:`WRITERS` writes, as if it stood on the page."""

    optional_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of the text."""
        text = "\n".join(WRITERS[self.name](self.arguments[0] if self.arguments else ""))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    for name in WRITERS:
        app.add_directive(name, Generated)
    return {"parallel_read_safe": True}
