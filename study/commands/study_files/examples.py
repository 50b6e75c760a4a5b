"""``app-study examples``: the ready-made study files."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.commands.completion import complete_example
from study.session.console import say


def examples(
    name: Annotated[
        str | None,
        typer.Argument(
            help="One to copy; else all are listed.",
            show_default=False,
            autocompletion=complete_example,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; else its own name, here.")
    ] = None,
) -> None:
    """List the ready-made study files, or copy one."""
    from study.operations.study_files.examples import copy_example
    from study.operations.study_files.examples import examples as all_examples

    console = Console()
    if name is not None:
        path = copy_example(name, out)
        say(console, f"{path}: start it with: app-study launch {path}")
        return
    table = Table("name", "what it is for", box=None, pad_edge=False)
    for example in all_examples():
        table.add_row(escape(example.name), escape(example.description.strip()))
    console.print(table)
