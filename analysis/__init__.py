"""Reports on studies, read from MLflow. Heavy libraries are imported where they are used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.runs import Runs


def load(*studies: str, tracking_uri: str | None = None) -> "Runs":
    """A study's tidy frames, for notebooks; of several studies, see :mod:`analysis.several`.

    Args:
        studies: Names of the studies, at least one.
        tracking_uri: Where MLflow keeps it; by default as :func:`analysis.store.default_uri` says.
    """
    from analysis import several, store

    return several.load_all(studies, tracking_uri=tracking_uri or store.default_uri())
