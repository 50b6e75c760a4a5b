"""``app-study run``: one trial, in this process."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from study.commands.options import Config, DataRoot, Set
from study.config.problems import in_file
from study.workflow.addresses import with_data_root
from study.workflow.workplace import print_plugins


def run(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoints and history, from which a second call resumes."),
    ] = None,
) -> None:
    """Train one trial in this process, without Ray; its results are the same to the bit."""
    from study.config.loading import load_study
    from study.operations.run_locally import run_trial, single_trial

    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        console = Console()
        print_plugins(study, console)
        run_trial(study, single_trial(study), out=out, console=console)
