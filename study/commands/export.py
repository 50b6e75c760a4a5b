"""Commands that take a model out of a study."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.options import DataRoot, Store, TrackingUri, tracking_address
from study.config.problems import in_file
from study.session.console import say

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.export.card import ModelCard

Study = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study.", show_default=False)
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
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Export the network of a trial to files, checked against the network itself."""
    from study.errors import ExportError
    from study.export.trial_model import export_model
    from study.operations.opened_study import OpenedStudy
    from study.search.selection import choose

    check_export_options(format_name, register, alias)
    opened = OpenedStudy.open(name, store, data_root)
    with in_file(opened.folder.config_path):
        chosen = choose(opened.record, trial, opened.study.objective, max_density=max_density)
        if register is not None and len(chosen) > 1:
            raise ExportError(
                f"--register takes one model, and {trial} are {len(chosen)}; name one by --trial"
            )
        root = out or Path("exports") / name
        for recorded in chosen:
            is_only = out is not None and trial != "pareto"
            folder = root if is_only else root / f"trial-{recorded.number}"
            model = opened.final_model(recorded)
            card = export_model(model, folder, format_name=format_name, licence=licence)
            print_exported(card, folder)
            if register is not None:
                register_model(opened.study, card, folder, (register, alias), tracking_uri)


def check_export_options(format_name: str, register: str | None, alias: str | None) -> None:
    """Check the options before anything is done.

    Raises:
        ExportError: There is no such format, or nothing that the alias could name.
    """
    from study.errors import ExportError
    from study.export.formats import format_called

    format_called(format_name)
    if alias is not None and register is None:
        raise ExportError("--alias names a version of a registered model; add --register NAME")


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
    register: tuple[str, str | None],
    tracking_uri: str | None,
) -> None:
    """Make an exported model a version of a registered one, and print how it is served."""
    from study.export.registration import model_info, run_tags, version_tags
    from study.tracking.mlflow.registry import MlflowRegistry

    registered_name, alias = register
    uri = tracking_address(study, tracking_uri)
    registry = MlflowRegistry(uri, study.tracking.experiment)
    version = registry.register(
        model_info(card, folder),
        run_tags=run_tags(card),
        name=registered_name,
        tags=version_tags(card),
        alias=alias,
    )
    address = f"models:/{registered_name}" + (f"@{alias}" if alias else f"/{version.version}")
    say(
        Console(),
        f"Registered as version {version.version} of {registered_name}; to serve it: "
        f"MLFLOW_TRACKING_URI={shlex.quote(registry.address)} mlflow models serve "
        f"--env-manager local --host 127.0.0.1 --port 5001 --model-uri {shlex.quote(address)}",
    )
