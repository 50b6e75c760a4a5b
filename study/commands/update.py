"""``app-study update``: a complete trial trains on what has arrived since."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.exit_codes import INTERRUPTED
from study.commands.export import (
    Alias,
    Format,
    Licence,
    Register,
    Study,
    check_export_options,
    print_exported,
    register_model,
)
from study.commands.options import DataRoot, Store, TrackingUri
from study.config.problems import in_file
from study.session.console import say
from study.workflow.addresses import tracking_address
from study.workflow.workplace import open_tracker

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.export.card import ModelCard


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
    replace_better: Annotated[
        bool,
        typer.Option(
            "--replace-better",
            help="Move the alias even from a model that is better on the holdout.",
        ),
    ] = False,
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
                f"rest with: app-study sync {name}",
            )
        folder = out or Path("exports") / name / f"trial-{after.number}"
        card = export_model(
            opened.final_model(after), folder, format_name=format_name, licence=licence
        )
        print_exported(card, folder)
        if register is not None and _may_replace(
            opened.study, card, (register, alias), tracking_uri, replace_better=replace_better
        ):
            register_model(opened.study, card, folder, (register, alias), tracking_uri)


def _may_replace(
    study: "StudyConfig",
    card: "ModelCard",
    register: tuple[str, str | None],
    tracking_uri: str | None,
    *,
    replace_better: bool,
) -> bool:
    """Whether the model is to be registered; False where it is already.

    Raises:
        ExportError: The alias stays with a model that is better.
    """
    from study.errors import ExportError
    from study.export.registration import is_same_model, refusal
    from study.tracking.mlflow.registry import MlflowRegistry

    name, alias = register
    if alias is None:
        return True
    registry = MlflowRegistry(tracking_address(study, tracking_uri), study.tracking.experiment)
    current = registry.with_alias(name, alias)
    if current is None:
        return True
    if is_same_model(card, current.tags):
        say(Console(), f"Version {current.version} of {name}, the {alias}, is this model already.")
        return False
    reason = refusal(card, current.tags)
    if reason and not replace_better:
        raise ExportError(
            f"version {current.version} of {name} stays the {alias}: {reason}; to replace it "
            f"nevertheless, add --replace-better"
        )
    return True
