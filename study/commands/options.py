"""What the commands share: their options, and where studies and their tracking are found."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.credentials import REFUSED, holds_credentials

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"


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


def with_override(overrides: list[str], path: str, value: str | None) -> list[str]:
    """The overrides, and the value of a flag as one more of them where it is given."""
    if value is None:
        return overrides
    from study.config.yaml_io import write_yaml

    return [*overrides, f"{path}={write_yaml(value).strip()}"]


def with_data_root(overrides: list[str], data_root: Path | None) -> list[str]:
    """The overrides, and the data's folder as one more of them."""
    return with_override(overrides, "data.root", str(data_root.absolute()) if data_root else None)


def store_root(study: "StudyConfig | None", flag: str | None) -> str:
    """Path or URL of the folder of all studies: the flag's, the study's, or the default."""
    from study.store.store import DEFAULT_STORE

    if flag is not None:
        return flag
    if study is not None and study.resources.storage_path:
        return study.resources.storage_path
    return DEFAULT_STORE


def tracking_address(study: "StudyConfig", flag: str | None) -> str:
    """MLflow's address: the flag's, the study's, MLflow's own variable, or the default."""
    return (
        flag or study.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI
    )
