"""``app-study schema``: what an editor needs to know of the study file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from study.session.console import say


def schema(
    modules: Annotated[
        list[str] | None,
        typer.Argument(help="Modules of your own whose plug-ins the schema is to know."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; else it is printed.")] = None,
) -> None:
    """Write a JSON Schema of the study file, by which editors complete and check it."""
    from study.config.schema.study_schema import schema_text
    from study.files import atomic_write

    text = schema_text(modules or [])
    if out is None:
        print(text, end="")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, text.encode())
    say(Console(), f"{out}: name it in the first line of a study file beside it:")
    say(Console(), f"# yaml-language-server: $schema={out.name}")
