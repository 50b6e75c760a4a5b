"""Reports on studies, read from MLflow. Heavy libraries are imported where they are used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.runs import Runs


def load(study: str, *, tracking_uri: str | None = None) -> "Runs":
    """The study's two tidy frames, for notebooks; see :func:`analysis.runs.load`.

    Args:
        study: Name of the study.
        tracking_uri: Where MLflow keeps it; by default as :func:`analysis.store.default_uri` says.
    """
    from analysis import runs, store

    return runs.load(study, tracking_uri=tracking_uri or store.default_uri())
