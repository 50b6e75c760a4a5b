"""What a store holds, and what is typed to do something with a study of it."""

from pathlib import Path

import pytest

from study.files import DEFAULT_STORE, RECORD_FILE
from study.store.folder import StudyFolder, StudyStore
from study.store.store import StorePlace


def test_a_folder_that_no_study_can_be_called_is_none(tmp_path: Path) -> None:
    for name in ("small", "small (copy)", ".trash", "ends."):
        (tmp_path / name).mkdir()
        (tmp_path / name / RECORD_FILE).touch()
    assert StorePlace.from_address(tmp_path).names() == ["small"]


def test_a_command_finds_the_study_wherever_its_store_is(tmp_path: Path) -> None:
    for where, options in (
        (DEFAULT_STORE, ""),
        (Path(DEFAULT_STORE).absolute(), ""),
        (tmp_path, f" --store {tmp_path}"),
        (tmp_path / "my studies", f" --store '{tmp_path}/my studies'"),
        ("s3://bucket/studies", " --store s3://bucket/studies"),
    ):
        command = StorePlace.from_address(where).command("check --repair", "small")
        assert command == f"app-study check --repair small{options}"


def test_a_folder_and_its_record_name_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / "copies"))
    monkeypatch.chdir(tmp_path)
    here = StudyFolder(Path(DEFAULT_STORE).absolute() / "small")
    there = StudyStore(f"file://{tmp_path}/there").folder("small")
    for folder, command in (
        (here, "app-study resume small"),
        (there, f"app-study resume small --store file://{tmp_path}/there"),
    ):
        assert folder.command("resume") == command
        with folder.open_record() as record:
            assert record.command("resume") == command
