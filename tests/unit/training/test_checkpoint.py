import logging
import pickle
from pathlib import Path

import pytest
import torch

from study.training.checkpoint import CheckpointFolder


def state(value: int) -> dict[str, object]:
    return {"weights": torch.full((50,), float(value)), "position": value, "note": "ü"}


def filled(folder: Path, *positions: int) -> CheckpointFolder:
    checkpoints = CheckpointFolder(folder)
    for position in positions:
        checkpoints.save(state(position), position=position)
    return checkpoints


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def loaded_position(checkpoints: CheckpointFolder) -> object:
    found = checkpoints.load_latest()
    return None if found is None else found["position"]


def test_the_newest_is_loaded_equal_and_the_newest_two_are_all_that_is_left(
    tmp_path: Path,
) -> None:
    checkpoints = filled(tmp_path, 1, 2, 9, 10, 100)
    found = checkpoints.load_latest()
    assert found is not None
    assert torch.equal(found["weights"], torch.full((50,), 100.0))
    assert found["note"] == "ü"
    assert [int(path.name.partition("-")[0]) for path in files(tmp_path)] == [10, 100]


def test_a_folder_that_is_not_there_holds_none_and_is_not_made(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "none").load_latest() is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("eighths", range(8))
def test_a_truncated_checkpoint_is_passed_over_with_a_warning(
    eighths: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = filled(tmp_path, 1, 2)
    newest = files(tmp_path)[-1]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) * eighths // 8])
    with caplog.at_level(logging.WARNING):
        assert loaded_position(checkpoints) == 1
    assert f"checkpoint {newest} is damaged" in caplog.text


def test_one_altered_byte_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = filled(tmp_path, 1, 2)
    newest = files(tmp_path)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert loaded_position(checkpoints) == 1
    assert "damaged" in caplog.text


def test_where_all_are_damaged_there_is_none(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 1, 2)
    for path in files(tmp_path):
        path.write_bytes(b"")
    assert checkpoints.load_latest() is None


def test_a_damaged_checkpoint_never_crowds_out_a_whole_one(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 1, 2)
    files(tmp_path)[-1].write_bytes(b"torn")
    checkpoints.save(state(2), position=2)
    files(tmp_path)[-1].write_bytes(b"torn again")
    assert loaded_position(checkpoints) == 1


def test_what_lies_after_the_newest_was_given_up(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 7, 8, 3)
    assert loaded_position(checkpoints) == 3


def test_a_failed_write_leaves_the_checkpoints_before_and_no_other_file(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 1)
    before = files(tmp_path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoints.save({"not": lambda: None}, position=2)
    assert files(tmp_path) == before
    assert loaded_position(checkpoints) == 1


def test_what_a_killed_process_left_half_written_is_neither_loaded_nor_kept(
    tmp_path: Path,
) -> None:
    checkpoints = filled(tmp_path, 1)
    (tmp_path / ".writing-999").write_bytes(b"half")
    assert loaded_position(checkpoints) == 1
    checkpoints.save(state(2), position=2)
    assert len(files(tmp_path)) == 2


class Planted:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("planted"),))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints = CheckpointFolder(tmp_path / "folder")
    checkpoints.save({"trap": Planted()}, position=1)
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.load_latest()
    assert not (tmp_path / "planted").exists()


def test_the_best_is_kept_beside_the_newest_two(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path)
    for position, rate in enumerate((0.5, 0.25, None, 0.25, 0.75, None, 0.5, None)):
        checkpoints.save(state(position), position=position, error_rate=rate)
    assert [int(path.name.partition("-")[0]) for path in files(tmp_path)] == [3, 6, 7]
    best = checkpoints.best()
    assert best is not None
    assert torch.load(best, weights_only=True)["position"] == 3
    assert loaded_position(checkpoints) == 7


def test_without_any_error_rate_there_is_no_best(tmp_path: Path) -> None:
    assert filled(tmp_path, 1, 2, 3).best() is None


def test_torn_files_and_leftovers_are_listed(tmp_path: Path) -> None:
    checkpoints = filled(tmp_path, 1, 2)
    newest = files(tmp_path)[-1]
    newest.write_bytes(b"torn")
    (tmp_path / ".writing-9").write_bytes(b"")
    assert checkpoints.torn() == [newest]
    assert [path.name for path in checkpoints.leftovers()] == [".writing-9"]
