"""An exported model takes a champion's place where it is no worse on the same holdout."""

import warnings
from pathlib import Path

import pytest

from study.api import open_study
from study.commands.export import export
from study.commands.sync import sync
from study.errors import ExportError
from study.tracking import names
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study

with warnings.catch_warnings():
    # MLflow's models use what SQLAlchemy deprecates, and are configured when a client is made.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    from mlflow import MlflowClient
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401  # configures them


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a store with the study's two trials."""
    monkeypatch.chdir(tmp_path)
    finish_study(Path("app-studies"), digits_in_parts(tmp_path)[0])
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    sync(NAME, tracking_uri=address)
    return address


def test_a_champion_that_is_better_stays_unless_told_otherwise(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = MlflowClient(uri)

    def meet(trial: str, *, replace_better: bool = False) -> str:
        export(
            NAME, trial=trial, register="digits", alias="champion", tracking_uri=uri,
            replace_better=replace_better,
        )  # fmt: skip
        return capsys.readouterr().out

    def champion() -> str:
        return str(client.get_model_version_by_alias("digits", "champion").version)

    def has_error(error: str) -> None:
        client.set_model_version_tag("digits", champion(), names.TAG_HOLDOUT_ERROR, error)

    assert "Registered as version 1 of digits" in meet("0")
    assert "Version 1 of digits, the champion, is this model already" in meet("0")
    assert len(client.search_model_versions("name = 'digits'")) == 1

    has_error("-0.125")  # better than any can be
    with pytest.raises(ExportError, match=r"stays the champion: .*-0\.125; .*--replace-better"):
        meet("1")
    assert champion() == "1"
    assert len(client.search_model_versions("name = 'digits'")) == 1
    assert "Registered as version 2" in meet("1", replace_better=True)
    assert champion() == "2"

    has_error("1.0")  # worse than any
    meet("0")
    assert champion() == "3"

    # Without an alias nothing is replaced, so nothing is compared.
    has_error("-0.125")
    export(NAME, trial="1", register="digits", tracking_uri=uri)
    assert "version 4" in capsys.readouterr().out
    assert champion() == "3"

    study = open_study(NAME, tracking_uri=uri)
    with pytest.raises(ExportError, match="stays the champion"):
        study.export(1, register="digits", alias="champion")
    study.export(1, register="digits", alias="champion", replace_better=True)
    assert champion() == "5"
