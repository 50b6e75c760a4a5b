"""Commands that take a model out of a study."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.completion import complete_study
from study.commands.options import DataRoot, Store, TrackingUri
from study.session.console import say
from study.workflow.exporting import (
    ExportOptions,
    Registration,
    check_export_options,
    export_trials,
    registered_model,
)

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.export.card import ModelCard

Study = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="Name of a study.", show_default=False, autocompletion=complete_study
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="safetensors, state_dict, sparse, torch_export or onnx.")
]
Licence = Annotated[
    str | None, typer.Option(help="Licence of the model, for its card.", show_default=False)
]
Register = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Register it as the newest version of NAME in MLflow."),
]
Alias = Annotated[str | None, typer.Option(help="Alias to move to that version, e.g. champion.")]
ReplaceBetter = Annotated[
    bool,
    typer.Option(
        "--replace-better", help="Move the alias even from a model that is better on the holdout."
    ),
]


def export(
    name: Study,
    trial: Annotated[
        str, typer.Option(help="best (in the first objective), pareto, a number or a key.")
    ] = "best",
    format_name: Format = "safetensors",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the model; else exports/STUDY/trial-NUMBER.")
    ] = None,
    max_density: Annotated[
        float | None, typer.Option(help="Choose among networks of at most this density.")
    ] = None,
    licence: Licence = None,
    register: Register = None,
    alias: Alias = None,
    replace_better: ReplaceBetter = False,
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Export the network of a trial to files, checked against the network itself."""
    from study.operations.opened_study import OpenedStudy

    check_export_options(format_name, register, alias)
    opened = OpenedStudy.open(name, store, data_root)
    options = ExportOptions(format_name, out, max_density, licence)
    for card, folder in export_trials(opened, trial, options, only_one=register is not None):
        print_exported(card, folder)
        if register is not None:
            registration = Registration(register, alias, replace_better)
            register_model(opened.study, card, folder, registration, tracking_uri)


def print_exported(card: "ModelCard", folder: Path) -> None:
    """Where a model lies and what it is."""
    from study.export.formats import FORMATS

    size = (folder / FORMATS.get(card.format).file_name).stat().st_size
    say(
        Console(),
        f"Trial {card.trial_number}, {card.title}: {folder} ({card.format}, {size:,} bytes, read "
        f"again and compared with the network)",
    )
    if card.removal is not None and (card.removal.num_channels or card.removal.reason):
        say(Console(), card.removal.sentence())


def register_model(
    study: "StudyConfig",
    card: "ModelCard",
    folder: Path,
    registration: Registration,
    tracking_uri: str | None,
) -> None:
    """Make an exported model a version of a registered one, and print how it is served."""
    registered = registered_model(study, card, folder, registration, tracking_uri)
    which = f"ersion {registered.version} of {registration.name}"
    if not registered.is_new:
        say(Console(), f"V{which}, the {registration.alias}, is this model already.")
        return
    say(
        Console(),
        f"Registered as v{which}; to serve it: "
        f"MLFLOW_TRACKING_URI={shlex.quote(registered.tracking_uri)} mlflow models serve "
        f"--env-manager local --host 127.0.0.1 --port 5001 --model-uri "
        f"{shlex.quote(registered.address)}",
    )
