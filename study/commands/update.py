"""``app-study update``: a complete trial trains on what has arrived since."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from study.commands.exit_codes import INTERRUPTED
from study.commands.export import (
    Alias,
    Format,
    Licence,
    Register,
    ReplaceBetter,
    Study,
    print_exported,
    register_model,
)
from study.commands.options import DataRoot, Store, TrackingUri
from study.config.problems import in_file
from study.session.console import say
from study.workflow.addresses import tracking_address
from study.workflow.exporting import Registration, check_export_options
from study.workflow.workplace import open_tracker


def update(
    name: Study,
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="NEW",
            help="An .npz or a folder of images; each is a further megabatch, in this order.",
            show_default=False,
        ),
    ],
    trial: Annotated[
        str,
        typer.Option(help="best (of the search, after its newest update), a number or a key."),
    ] = "best",
    format_name: Format = "safetensors",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the model; else exports/STUDY/trial-NUMBER.")
    ] = None,
    licence: Licence = None,
    register: Register = None,
    alias: Alias = None,
    replace_better: ReplaceBetter = False,
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Train a complete trial on data that has arrived since, and export it again."""
    from study.export.trial_model import export_model
    from study.operations.opened_study import OpenedStudy
    from study.operations.update import describe_changes, opened_for_writing, train_update
    from study.operations.update_plan import plan_update

    check_export_options(format_name, register, alias)
    console = Console()

    locked = opened_for_writing(OpenedStudy.open(name, store, data_root))
    with locked as opened, in_file(opened.folder.config_path):
        uri = tracking_address(opened.study, tracking_uri)
        planned = plan_update(opened, trial, data)
        if planned.schedule_note:
            say(console, planned.schedule_note)
        try:
            after, undelivered = train_update(
                opened, planned, lambda: open_tracker(opened.study, uri), partial(say, console)
            )
        except KeyboardInterrupt:
            say(console, "Interrupted; nothing is lost: the same command resumes here.")
            raise typer.Exit(INTERRUPTED) from None
        if after.updated_from:
            say(console, describe_changes(opened.record.find(after.updated_from), after))
        if undelivered is not None:
            say(
                console,
                f"MLflow is missing a part of it: {undelivered.reason}\nOnce it answers, log the "
                f"rest with: {opened.folder.command('sync')}",
            )
        folder = out or Path("exports") / name / f"trial-{after.number}"
        card = export_model(
            opened.final_model(after), folder, format_name=format_name, licence=licence
        )
        print_exported(card, folder)
        if register is not None:
            registration = Registration(register, alias, replace_better)
            register_model(opened.study, card, folder, registration, tracking_uri)
