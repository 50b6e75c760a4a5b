"""``app-study validate``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from study.commands.options import DataRoot, Set, with_data_root
from study.config.problems import in_file
from study.errors import SeveralError
from study.session.console import say
from study.text import count


def validate(
    configs: Annotated[list[Path], typer.Argument(help="Study files (YAML).", show_default=False)],
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data: Annotated[bool, typer.Option("--data", help="Also read the data.")] = False,
    data_root: DataRoot = None,
) -> None:
    """Check study files without running anything."""
    from study.config.loading import load_study
    from study.config.problems import ConfigError
    from study.operations.planned_comparisons import undecidable

    refused = []
    for path in configs:
        try:
            with in_file(path):
                study = load_study(path, overrides=with_data_root(overrides, data_root))
                if data:
                    from study.trial.checks import load_and_check

                    load_and_check({trial.key(): trial for trial in study.corners()})
        except ConfigError as error:
            refused.append(error)
            continue
        num_trials = len(study.points) + study.num_proposals
        say(Console(), f"{path}: study {study.name!r} is valid, {count(num_trials, 'trial')}")
        if open_whatever_comes := undecidable(study):
            say(Console(), f"  {open_whatever_comes}")
    if refused:
        raise SeveralError([str(error) for error in refused])
