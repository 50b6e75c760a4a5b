"""What the commands share: their options, and where studies and their tracking are found."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from study.config.study import StudyConfig

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"

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
    Path | None,
    typer.Option(help="Folder of all studies; else resources.storage_path, else app-studies."),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow store; else tracking.uri, else MLFLOW_TRACKING_URI, else "
        f"{DEFAULT_TRACKING_URI}."
    ),
]
Reports = Annotated[Path, typer.Option(help="Folder of the reports.")]


def with_data_root(overrides: list[str], data_root: Path | None) -> list[str]:
    """The overrides, and the data's folder as one more of them."""
    if data_root is None:
        return overrides
    from study.config.yaml_io import write_yaml

    return [*overrides, f"data.root={write_yaml(str(data_root.absolute())).strip()}"]


def store_root(study: "StudyConfig | None", flag: Path | None) -> Path:
    """The folder of all studies: the flag's, the study's, or the default."""
    from study.tune.places import DEFAULT_STORE

    if flag is not None:
        return flag
    if study is not None and study.resources.storage_path:
        return Path(study.resources.storage_path)
    return DEFAULT_STORE


def tracking_address(study: "StudyConfig", flag: str | None) -> str:
    """MLflow's address: the flag's, the study's, MLflow's own variable, or the default."""
    return (
        flag or study.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI
    )
