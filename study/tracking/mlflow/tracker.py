"""The tracker on MLflow: by its client alone, with no process-wide tracking address."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from study.tracking.mlflow.runs import MlflowStore
from study.tracking.run_tracker import RunTracker
from study.tracking.tracker import Tracker

_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


class MlflowTracker(RunTracker):
    """Logs a study to an MLflow store. May be created in one thread and used in another.

    Args:
        tracking_uri: ``sqlite:///PATH``, another database's address, or a server's http address.
            Beside a SQLite database created here, ``mlartifacts`` holds the files.
        experiment: The MLflow experiment that holds the runs; created where it does not exist.
        extra_tags: Put on every run; the study's own go before them.

    Raises:
        TrackingError: The store cannot be opened, or its experiment was deleted; by any method,
            the store fails.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        experiment: str = "app-study",
        extra_tags: Mapping[str, str] = _NO_TAGS,
    ) -> None:
        super().__init__(MlflowStore(tracking_uri, experiment), extra_tags)


if TYPE_CHECKING:
    _mlflow: Tracker = MlflowTracker("")
