"""What the commands share: their options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.credentials import REFUSED, holds_credentials
from study.workflow.addresses import DEFAULT_TRACKING_URI

if TYPE_CHECKING:
    from study.tune.cluster.ray_restarts import RayRestarts


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


def ray_restarts(
    store: str,
    *,
    data_root: Path | None,
    address: str | None,
    tracking_uri: str | None,
    reports: Path,
) -> "RayRestarts":
    """How this program begins anew where its Ray dies: ``resume`` with the same options."""
    from study.tune.cluster.ray_restarts import RayRestarts

    given = {"--data-root": data_root, "--address": address, "--tracking-uri": tracking_uri}
    options = ["--store", store, "--reports", str(reports)]
    for flag, value in given.items():
        options += [flag, str(value)] if value is not None else []
    return RayRestarts(options)
