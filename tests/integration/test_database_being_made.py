"""A report that comes while a study creates its database waits, and breaks nothing."""

import threading
import warnings
from pathlib import Path

import filelock
import pytest

from analysis.errors import ReportError
from analysis.runs.mlflow_reader import Store
from study.tracking import names

with warnings.catch_warnings():
    # MLflow's models use what SQLAlchemy deprecates, and are configured when a client is made.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    from mlflow import MlflowClient
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401  # configures them


def test_a_report_waits_until_the_database_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    found: list[Store] = []
    reader = threading.Thread(target=lambda: found.append(Store(f"sqlite:///{path}")))
    with filelock.FileLock(names.creation_lock(path)):
        reader.start()
        MlflowClient(f"sqlite:///{path}")
        assert reader.is_alive()
        assert found == []
    reader.join(60)
    assert found[0].studies() == []


def test_where_nobody_creates_one_nothing_is_waited_for_and_nothing_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(ReportError, match="there is no MLflow database"):
        Store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert list(tmp_path.iterdir()) == []
