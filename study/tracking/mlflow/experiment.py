"""An experiment of an MLflow store, opened by MLflow's client with no active run."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import filelock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from study.credentials import without_credentials
from study.tracking import names
from study.tracking.address import (
    absolute_uri,
    artifact_location,
    check_sqlite,
    sqlite_path,
)
from study.tracking.tracker import TrackingError

# A new database is announced by both at level INFO, one line per migration.
for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.WARNING)

_CREATION_S: Final = 300.0  # a new database takes seconds, on a busy machine a minute

P = ParamSpec("P")
R = TypeVar("R")


def mlflow_errors_translated(method: Callable[P, R]) -> Callable[P, R]:
    """Raise MLflow's errors as our own, since their texts hold the address, password included."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (MlflowException, SQLAlchemyError, ImportError, filelock.Timeout) as error:
            raise TrackingError(
                f"MLflow: {without_credentials(str(error))} (tracking.uri is sqlite:///PATH, the "
                "address of another database with its driver installed, or of an MLflow server)"
            ) from None

    return call


@contextlib.contextmanager
def _created_once(path: Path | None) -> Iterator[None]:
    """Keep other studies away from a SQLite database while it is checked and created.

    Two processes that create the same one at the same time break it for good.
    """
    if path is None:
        yield
        return
    check_sqlite(path)
    with filelock.FileLock(names.creation_lock(path), timeout=_CREATION_S):
        yield


class MlflowExperiment:
    """What is in MLflow is in one of its experiments; created where it does not exist.

    Raises:
        TrackingError: The store cannot be opened, or the experiment was deleted.
    """

    @mlflow_errors_translated
    def __init__(self, tracking_uri: str, experiment: str) -> None:
        uri = absolute_uri(tracking_uri)
        self._address = without_credentials(uri)
        # MLflow's models use what SQLAlchemy deprecates. Not undone: restoring the filters, as
        # catch_warnings does, would disturb those of other threads.
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
        with _created_once(sqlite_path(uri)):
            self._client = MlflowClient(tracking_uri=uri)  # creates the database
            self._experiment_id = self._open_experiment(experiment, artifact_location(uri))

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        return self._address

    def _open_experiment(self, name: str, location: str | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return self._client.create_experiment(name, artifact_location=location)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the experiment {name!r} was deleted in {self._address}; choose another "
                "tracking.experiment, or bring it back with "
                f"mlflow experiments restore -x {found.experiment_id}"
            )
        return str(found.experiment_id)
