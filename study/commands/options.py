"""What the commands share: their options."""

from pathlib import Path
from typing import Annotated

import typer

from study.credentials import REFUSED, holds_credentials
from study.workflow.addresses import DEFAULT_TRACKING_URI


def without_credentials_in_it(uri: str | None) -> str | None:
    """A flag's address as it is given, unless it holds a password.

    Raises:
        typer.BadParameter: It does; with the remedy.
    """
    if uri is not None and holds_credentials(uri):
        raise typer.BadParameter(REFUSED)
    return uri


Config = Annotated[Path, typer.Argument(help="A study file (YAML).", show_default=False)]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="PATH=VALUE", help="Override a value, e.g. training.lr=0.05."),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder with the data; else data.root, else APP_STUDY_DATA."),
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Folder of all studies, or a URL such as s3://bucket/studies; else "
        "resources.storage_path, else app-studies."
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow store; else tracking.uri, else MLFLOW_TRACKING_URI, else "
        f"{DEFAULT_TRACKING_URI}.",
        callback=without_credentials_in_it,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster: auto, HOST:PORT, or local for a Ray of our own; else "
        "resources.address, else RAY_ADDRESS, else local."
    ),
]
Reports = Annotated[Path, typer.Option(help="Folder of the reports.")]
