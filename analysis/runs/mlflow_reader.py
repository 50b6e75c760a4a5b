"""MLflow, read only: runs by their tags, and the histories that they left."""

import dataclasses
import fcntl
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from analysis.errors import ReportError
from study.credentials import without_credentials
from study.tracking import names
from study.tracking.address import sqlite_path
from study.tracking.run_store import StoredRun
from study.tracking.tracker import TrackingError

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

_DEFAULT_URI = "sqlite:///mlflow.db"
_PAGE = 1000
V = TypeVar("V")
_UNQUOTABLE = frozenset("'\"`\\")


def default_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or else the file mlflow.db in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_URI


class Store:
    """Runs and artifacts of one tracking URI; nothing in it is ever written.

    Raises:
        ReportError: There is no MLflow database at ``tracking_uri``.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.address = without_credentials(tracking_uri)
        # Read by MLflow when it is imported: a report asks nothing but its user's store, and has
        # no progress bar for each small file.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        with self._readable(), _whole_database(tracking_uri):
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri=tracking_uri)
            self._experiments = [
                found.experiment_id for found in self._client.search_experiments()
            ]

    @property
    def server(self) -> str:
        """The address of its web interface; empty where it is a file or a database."""
        is_web = self.address.startswith(("http://", "https://"))
        return self.address.rstrip("/") if is_web else ""

    def studies(self) -> list[StoredRun]:
        """The parent runs of all studies, newest first."""
        return self._search(f"tags.`{names.TAG_KIND}` = '{names.KIND_STUDY}'")

    def trials(self, study: str) -> list[StoredRun]:
        """The runs of all trials of ``study``, newest first."""
        found = self._search(_trials_of(study))
        # Some databases compare without regard to case.
        return [run for run in found if run.tags.get(names.TAG_STUDY) == study]

    def closed_trials(self, parent: StoredRun) -> list[StoredRun] | None:
        """The runs of a study's trials from the table that it left when it was closed.

        Runs that somebody has deleted since are left out. None where the study goes on, or was
        ended by somebody else, or has left no table: then only :meth:`trials` knows.
        """
        from study.tracking.artifacts.runs_table import read_runs

        outcome = parent.tags.get(names.TAG_OUTCOME, names.OUTCOME_RUNNING)
        if parent.is_running or outcome == names.OUTCOME_RUNNING:
            return None
        with self._fetched(parent.run_id, names.RUNS_ARTIFACT) as path:
            if path is None:
                return None
            try:
                runs = [_compacted(run, parent.experiment_id) for run in read_runs(path)]
            except (OSError, ValueError):  # broken, no Parquet, or another table
                return None
        deleted = self._search(_trials_of(parent.tags[names.TAG_STUDY]), deleted=True)
        gone = {run.run_id for run in deleted}
        return [run for run in runs if run.run_id not in gone]

    def num_strangers(self, experiment_id: str) -> int:
        """How many runs of an experiment were not written by this program; 1,000 at most."""
        from mlflow.exceptions import MlflowException

        nobody = f"tags.`{names.TAG_KIND}` IS NULL"
        try:
            return len(self._client.search_runs([experiment_id], nobody, max_results=_PAGE))
        except MlflowException:  # a server too old to be asked for what is not there
            return 0

    def table(self, run_id: str, artifact: str) -> "pd.DataFrame | None":
        """The Parquet ``artifact`` of a run, or None where it has none that can be read."""
        import pandas as pd

        with self._fetched(run_id, artifact) as path:
            try:
                return None if path is None else pd.read_parquet(path)
            except (OSError, ValueError):  # broken, or no Parquet
                return None

    @contextmanager
    def _fetched(self, run_id: str, artifact: str) -> Iterator[Path | None]:
        """A copy of a run's file; None where it has none that can be fetched."""
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory() as here:
            try:
                beside = self._client.list_artifacts(run_id, artifact.rpartition("/")[0])
                path = None
                if artifact in {file.path for file in beside}:
                    path = Path(self._client.download_artifacts(run_id, artifact, here))
            except (MlflowException, OSError):  # gone
                path = None
            yield path

    def metric_history(self, run_id: str, metric: str) -> dict[int, float]:
        """Step → value, the last one logged of each step."""
        with self._readable():
            history = self._client.get_metric_history(run_id, metric)
        return {
            point.step: point.value for point in sorted(history, key=lambda point: point.timestamp)
        }

    def _search(self, condition: str, *, deleted: bool = False) -> list[StoredRun]:
        from mlflow.entities import ViewType

        view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
        found: list[StoredRun] = []
        token: str | None = None
        while self._experiments:
            with self._readable():
                page = self._client.search_runs(
                    self._experiments, condition, view, max_results=_PAGE, page_token=token
                )
            found += [_stored(run) for run in page]
            token = page.token
            if not token:
                break
        return found

    @contextmanager
    def _readable(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        # A database of a kind that nobody knows, or whose driver is not installed, is no
        # MlflowException.
        except (MlflowException, SQLAlchemyError, ImportError, TrackingError) as error:
            reason = without_credentials((str(error).strip().splitlines() or ["no reason"])[0])
            raise ReportError(
                f"MLflow at {self.address} cannot be read: {reason}; check --tracking-uri "
                f"or MLFLOW_TRACKING_URI"
            ) from error


def _trials_of(study: str) -> str:
    """MLflow's condition for the runs of a study's trials."""
    condition = f"tags.`{names.TAG_KIND}` = '{names.KIND_TRIAL}'"
    # Others may have written any name. What a filter cannot quote is not put into it.
    if study.isprintable() and not _UNQUOTABLE & set(study):
        condition += f" and tags.`{names.TAG_STUDY}` = '{study}'"
    return condition


def _stored(run: "Run") -> StoredRun:
    return _compacted(
        StoredRun(
            run_id=run.info.run_id,
            status=run.info.status,
            start_time=run.info.start_time or 0,
            tags=run.data.tags,
            params=run.data.params,
            metrics=run.data.metrics,
        ),
        run.info.experiment_id,
    )


def _compacted(run: StoredRun, experiment_id: str) -> StoredRun:
    return dataclasses.replace(
        run,
        tags=_compact(run.tags),
        params=_compact(run.params),
        metrics=_compact(run.metrics),
        experiment_id=experiment_id,
    )


def _compact(facts: Mapping[str, V]) -> dict[str, V]:
    """With the one string of each name that all runs share, rather than one of its own."""
    return {sys.intern(name): value for name, value in facts.items()}


@contextmanager
def _whole_database(tracking_uri: str) -> Iterator[None]:
    """Keep a SQLite database that a study is about to create from being half made.

    MLflow creates what it does not find, and two processes that do so at once break it for good.

    Raises:
        ReportError: It is missing, or no MLflow database: MLflow would create one.
        TrackingError: Its address has no path that counts.
    """
    path = sqlite_path(tracking_uri)
    if path is None:
        yield
        return
    with ExitStack() as stack:
        # Where nobody has left one, or locks are not known, nobody is at it.
        with suppress(OSError):
            lock = stack.enter_context(names.creation_lock(path).open("rb"))
            fcntl.flock(lock, fcntl.LOCK_SH)
        _check_database(path)
        yield


def _check_database(path: Path) -> None:
    remedy = "give the study's database with --tracking-uri sqlite:///PATH or MLFLOW_TRACKING_URI"
    if not path.is_file():
        raise ReportError(f"there is no MLflow database {path}; {remedy}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            tables = {row[0] for row in file.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        raise ReportError(f"{path.absolute()} is no database ({error}); {remedy}") from error
    if "experiments" not in tables:
        raise ReportError(f"{path.absolute()} holds no MLflow experiments; {remedy}")
