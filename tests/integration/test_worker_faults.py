"""A trial on its actor meets torn checkpoints, a disk that refuses them, and too little memory."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from study.config.trial import TrialConfig
from study.results import TrialHistory
from study.training.checkpoint import CheckpointFolder
from study.trial.datasets import dataset_key, load_dataset
from study.tune import trainable
from study.tune.trainable import StudyTrainable, WorkerContext
from tests.helpers.small_trials import numbers, trained, trial


def context(folder: Path) -> WorkerContext:
    return WorkerContext(
        datasets={},
        trials_path=folder,
        plugins=(),
        service_after=1.0,
        checkpoint_every_s=60.0,
        log_models="none",
        cpus=1,
        hide_gpus=False,
        on_cluster=False,
    )


def on_actor(config: TrialConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> StudyTrainable:
    """The trainable as on an actor, with its data at hand."""
    monkeypatch.setattr(trainable.ray, "get", lambda ref: ref)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    made = StudyTrainable.__new__(StudyTrainable)
    raw = {"trial_key": config.key(), "trial": config.to_dict(), "dataset": "0"}
    made.setup(raw, context=context(folder))
    made._datasets["0"] = load_dataset(dataset_key(config.data))
    return made


def steps(made: StudyTrainable, count: int) -> list[dict[str, Any]]:
    return [made.step() for _ in range(count)]


@pytest.mark.parametrize("eighths", range(8))
def test_after_any_truncation_the_numbers_are_those_of_an_undisturbed_trial_and_it_is_said(
    eighths: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trial()
    steps(on_actor(config, tmp_path, monkeypatch), 2)
    (newest, *_) = sorted((tmp_path / config.key() / "checkpoints").glob("*.pt"), reverse=True)
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) * eighths // 8])
    again = on_actor(config, tmp_path, monkeypatch)
    reports = steps(again, 2)
    assert reports[-1]["outcome"] == "complete"
    assert again._learner is not None
    assert numbers(again._learner.history) == numbers(trained(config).history)
    (said,) = reports[-1]["notices"]
    assert f"damaged checkpoint {newest.name} skipped: resumed from record 3" in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_a_checkpoint_costs_no_result_and_is_tried_again(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trial()
    made = on_actor(config, tmp_path, monkeypatch)
    save = CheckpointFolder.save

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "the disk refuses")

    monkeypatch.setattr(CheckpointFolder, "save", refuse)
    (first,) = steps(made, 1)
    assert first["outcome"] == ""
    assert TrialHistory.from_json(first["history"]).megabatches
    assert "a checkpoint could not be written" in first["notices"][0]
    assert "the disk refuses" in first["notices"][0]
    monkeypatch.setattr(CheckpointFolder, "save", save)
    assert steps(made, 2)[-1]["outcome"] == "complete"
    assert len(list((tmp_path / config.key() / "checkpoints").glob("*.pt"))) >= 1
    assert made._learner is not None
    assert numbers(made._learner.history) == numbers(trained(config).history)


def test_a_shortage_of_memory_is_left_to_the_driver_and_any_other_error_fails_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on_actor(trial(), tmp_path, monkeypatch)

    def short(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(made, "_records", short)
    with pytest.raises(MemoryError, match="Tried to allocate 2 GiB"):
        made.step()

    def broken(_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(made, "_records", broken)
    report = made.step()
    assert (report["outcome"], report["reason"]) == ("error", "KeyError('bug')")
