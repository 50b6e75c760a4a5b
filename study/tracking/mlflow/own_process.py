"""The tracker on MLflow in a process of its own: the driver imports nothing of it."""

from study.tracking.process import ProcessTracker
from study.tracking.tracker import Tracker


def open_in_own_process(tracking_uri: str, experiment: str) -> ProcessTracker:
    """As :class:`study.tracking.mlflow.tracker.MlflowTracker`, elsewhere.

    Raises:
        TrackingError: The store cannot be opened, or its experiment was deleted.
    """
    return ProcessTracker(_opened, tracking_uri, experiment)


def _opened(tracking_uri: str, experiment: str) -> Tracker:
    from study.tracking.mlflow.tracker import MlflowTracker

    return MlflowTracker(tracking_uri, experiment=experiment)
