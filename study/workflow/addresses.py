"""Where studies and their tracking are found, and values that are given beside a study's file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.files import DEFAULT_STORE

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"


def with_override(overrides: list[str], path: str, value: str | None) -> list[str]:
    """The overrides, and the value of a flag as one more of them where it is given."""
    return overrides if value is None else [*overrides, *as_overrides({path: value})]


def with_data_root(overrides: list[str], data_root: Path | None) -> list[str]:
    """The overrides, and the data's folder as one more of them."""
    return with_override(overrides, "data.root", str(data_root.absolute()) if data_root else None)


def store_root(study: "StudyConfig | None", flag: str | None) -> str:
    """Path or URL of the folder of all studies: the flag's, the study's, or the default."""
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


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """``path=value`` for each, as after ``--set``.

    Raises:
        ConfigError: A value is none of YAML.
    """
    return [f"{path}={_as_yaml(path, value)}" for path, value in values.items()]


def _as_yaml(path: str, value: object) -> str:
    import yaml

    from study.config.problems import ConfigError, Problem, shown
    from study.config.yaml_io import write_yaml

    try:
        return write_yaml(str(value) if isinstance(value, Path) else value).strip()
    except yaml.YAMLError:
        message = f"must be a plain value as YAML has them, got {shown(value)}"
        raise ConfigError([Problem(path, message)]) from None
