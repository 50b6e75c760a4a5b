"""``app-study plugins``."""

from typing import Annotated

import typer
from rich.console import Console


def plugins(
    modules: Annotated[
        list[str] | None, typer.Argument(help="Modules of your own to import first.")
    ] = None,
) -> None:
    """List all plug-ins with their settings."""
    from study.operations.list_plugins import plugin_tables

    console = Console()
    for table in plugin_tables(modules or []):
        console.print(table)
        console.print()
