"""The tracker on MLflow in a process of its own: the driver imports nothing of it."""

from study.tracking.process import ProcessTracker
from study.tracking.tracker import Tracker


def in_own_process(tracking_uri: str, experiment: str) -> ProcessTracker:
    """As :class:`study.tracking.mlflow.tracker.MlflowTracker`, elsewhere; still to be opened.

    Raises:
        TrackingError: By its ``open``, the store cannot be opened, or its experiment was deleted.
    """
    return ProcessTracker(_opened, tracking_uri, experiment, ahead="study.tracking.mlflow.tracker")


def _opened(tracking_uri: str, experiment: str) -> Tracker:
    from study.tracking.mlflow.tracker import MlflowTracker

    return MlflowTracker(tracking_uri, experiment=experiment)
