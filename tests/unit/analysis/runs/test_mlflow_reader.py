"""An MLflow that cannot be read is a sentence, not a traceback."""

import sys
from pathlib import Path

import pytest

from analysis.errors import ReportError
from analysis.runs.mlflow_reader import Store


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("postgresql+psycopg2://ann:s3cret@127.0.0.1:1/mlflow", "psycopg2"),
        ("postgresql+nonsense://ann:s3cret@127.0.0.1:1/mlflow", "nonsense"),
    ],
)
def test_a_database_whose_driver_is_missing_or_unknown_is_said(
    uri: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)  # as if it were not installed
    with pytest.raises(ReportError, match=reason) as said:
        Store(uri)
    assert "check --tracking-uri" in str(said.value)
    assert "s3cret" not in str(said.value)


def test_a_home_folder_in_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "mlflow.db").touch()
    with pytest.raises(ReportError, match="~ stands for no home folder"):
        Store("sqlite:///~/mlflow.db")
