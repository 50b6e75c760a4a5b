"""Commands that start nothing: what a study file says, what it will take, what there is."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from study.commands.options import Config, DataRoot, Set, with_data_root
from study.user_errors import SeveralError, in_file, printable


def validate(
    configs: Annotated[list[Path], typer.Argument(help="Study files (YAML).", show_default=False)],
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data: Annotated[bool, typer.Option("--data", help="Read the data too.")] = False,
    data_root: DataRoot = None,
) -> None:
    """Check study files without starting anything."""
    from study.config.errors import ConfigError
    from study.config.loading import load_study

    refused = []
    for path in configs:
        try:
            with in_file(path):
                study = load_study(path, overrides=with_data_root(overrides, data_root))
                if data:
                    from study.checks import load_and_check

                    load_and_check({trial.key(): trial for trial in study.corners()})
        except ConfigError as error:
            refused.append(error)
            continue
        num_trials = len(study.points) + study.num_proposals
        print(printable(f"{path}: study {study.name!r} is valid, {num_trials} trials"))
    if refused:
        raise SeveralError([str(error) for error in refused])


def plan(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
) -> None:
    """Say what a study will take, from a few steps of each network timed on this machine."""
    from study.config.loading import load_study
    from study.planning import plan_study, plan_table

    cpus = os.cpu_count() or 1
    with in_file(config):
        study = load_study(config, overrides=with_data_root(overrides, data_root))
        room = max(1, cpus // study.resources.cpus_per_trial)
        made = plan_study(study, max_concurrent=min(study.resources.max_concurrent or room, room))
    console = Console()
    console.print(plan_table(made))
    console.print(
        f"\n{made.num_known} trials known beforehand, {made.num_proposals} proposed by the sampler"
        f"\nexamples through SGD  {made.total('samples'):,.0f}"
        f"\ntraining FLOPs        {made.total('flops'):.3g} (counted dense)"
        f"\nestimated time        {made.hours:.2g} hours, {made.max_concurrent} trials at once on "
        f"this machine",
        highlight=False,
    )


def plugins(
    modules: Annotated[
        list[str] | None, typer.Argument(help="Modules of your own to import first.")
    ] = None,
) -> None:
    """List every plug-in with its settings."""
    from study.listing import plugin_tables

    console = Console()
    for table in plugin_tables(modules or []):
        console.print(table)
        console.print()
