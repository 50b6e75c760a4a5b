"""A study in a program's hands exports as the command does, without Ray and MLflow."""

from pathlib import Path

import pytest
from rich.console import Console

from study.api import load_model
from study.errors import ExportError
from study.workflow.launched import LaunchedStudy
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study


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
            study.export("best", out=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
