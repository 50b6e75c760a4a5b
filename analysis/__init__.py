"""Reports on studies, read from MLflow. Heavy libraries are imported where they are used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


def load(*studies: str, tracking_uri: str | None = None) -> "Runs":
    """A study's tidy frames, for notebooks.

    Of several studies, see :mod:`analysis.runs.several_studies`.

    Args:
        studies: Names of the studies, at least one.
        tracking_uri: Where MLflow keeps it; by default as
            :func:`analysis.runs.mlflow_reader.default_uri` says.
    """
    from analysis.runs import mlflow_reader, several_studies

    return several_studies.load_all(
        studies, tracking_uri=tracking_uri or mlflow_reader.default_uri()
    )
