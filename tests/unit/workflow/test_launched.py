"""A study in a program's hands does as the commands do, without Ray and MLflow."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from study.api import load_model, open_study
from study.errors import ExportError
from study.store.folder import StudyStore
from study.store.record import Record
from study.workflow import launched
from study.workflow.addresses import as_overrides
from study.workflow.launched import LaunchedStudy
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study
from tests.helpers.small_studies import search

WITH_A_PASSWORD = "postgresql://ann:s3cret-word@127.0.0.1:5432/mlflow"
SERVER = "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> LaunchedStudy:
    folder = tmp_path_factory.mktemp("studies")
    finish_study(folder / "store", digits_in_parts(folder)[0])
    return LaunchedStudy(
        NAME, str(folder / "store"), "sqlite:///none.db", folder, Console(quiet=True)
    )


def test_the_folder_may_be_text(
    study: LaunchedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder,) = study.export("best", out="digits-model")
    assert folder == Path("digits-model")
    assert load_model(folder).card.study == NAME
    front = study.export("pareto", out="front")
    assert {path.parent for path in front} == {Path("front")}
    assert all(load_model(path).card.study == NAME for path in front)


def test_what_the_command_refuses_is_refused_before_anything_is_written(
    study: LaunchedStudy, tmp_path: Path
) -> None:
    for options, words in (({"alias": "champion"}, "add --register"), ({"format": "x"}, "known")):
        with pytest.raises(ExportError, match=words):
            study.export("best", out=tmp_path / "out", **options)  # type: ignore[arg-type]  # one of several
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "used", "kept"),
    [(None, WITH_A_PASSWORD, {}), (SERVER, SERVER, {"tracking.uri": SERVER})],
)
def test_a_confirming_study_keeps_mlflows_address_only_where_the_program_gave_it(
    given: str | None,
    used: str,
    kept: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, Any] = {}

    def confirm_study(*others: Any, overrides: list[str]) -> SimpleNamespace:
        told.update(workplace=others[-1], overrides=overrides)
        return SimpleNamespace(name="small-confirm", is_finished=True)

    folder = StudyStore(tmp_path).folder("small")
    folder.write_config(search())
    with Record.open(folder.record_path) as record:
        record.begin_session()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", WITH_A_PASSWORD)
    monkeypatch.setattr(launched, "confirm_study", confirm_study)
    confirmed = open_study("small", store=str(tmp_path), tracking_uri=given).confirm()
    assert confirmed.name == "small-confirm"
    assert told["overrides"] == as_overrides(kept)
    assert told["workplace"].tracking_uri == used
