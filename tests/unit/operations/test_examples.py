"""The ready-made study files are listed and copied as they lie beside the package."""

from pathlib import Path

import pytest

from study.config.loading import load_study
from study.errors import StudyError
from study.operations.study_files.examples import FOLDER, SCHEMA, copy_example, examples


def test_all_are_listed_with_what_they_are_for() -> None:
    listed = examples()
    assert {e.name for e in listed} >= {"quickstart", "mnist", "paper/claims_small"}
    assert len(listed) == len(list(FOLDER.rglob("*.yaml")))
    assert all(example.description for example in listed)


@pytest.mark.parametrize("name", ["quickstart", "paper/claims_smoke"])
def test_a_copy_is_the_same_study_with_the_schema_beside_it(name: str, tmp_path: Path) -> None:
    path = copy_example(name, tmp_path / "new" / "mine.yaml")
    original = FOLDER / f"{name}.yaml"
    assert load_study(path).to_dict() == load_study(original).to_dict()
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA}"
    assert (path.parent / SCHEMA).read_bytes() == (FOLDER / SCHEMA).read_bytes()


def test_without_a_place_it_lies_here_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert copy_example("paper/claims_smoke", None) == Path("claims_smoke.yaml")
    with pytest.raises(StudyError, match="exists; remove it"):
        copy_example("paper/claims_smoke", None)


def test_a_name_that_is_none_is_answered_by_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'quickstart'"):
        copy_example("quikstart", None)
