"""``app-study run``: one trial in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.options import (
    Config,
    DataRoot,
    Set,
    with_data_root,
)
from study.config.problems import in_file

if TYPE_CHECKING:
    pass
from study.commands.launch import print_plugins


def run(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoints and history; a second call goes on from there."),
    ] = None,
) -> None:
    """Train one trial in the foreground, without Ray: the same numbers, to the bit."""
    from study.config.loading import load_study
    from study.operations.run_locally import run_trial, single_trial

    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        console = Console()
        print_plugins(study, console)
        run_trial(study, single_trial(study), out=out, console=console)
