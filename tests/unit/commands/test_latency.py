"""``app-study latency`` on a study and on exported folders, without Ray and MLflow."""

from pathlib import Path

import pytest

from study.cli import main
from study.export.trial_model import export_model
from study.measurement import network, runtimes
from study.measurement.interleaved import Timing
from study.operations.opened_study import OpenedStudy
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    finish_study(folder / "store", digits_in_parts(folder)[0])
    return folder / "store"


@pytest.fixture(autouse=True)
def _in_torch_and_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "is_installed", lambda: False)
    brief = Timing(warm_up_s=0.0, turn_s=0.0005, limit_s=0.05, max_rounds=6)
    monkeypatch.setattr(network, "Timing", lambda: brief)
    monkeypatch.setenv("COLUMNS", "200")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["app-study", "latency", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    if ended.value.code:
        raise SystemExit(ended.value.code)


def test_a_trial_is_timed_beside_dense_for_the_batches_and_threads_that_are_asked_for(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--trial", "1", "--batch", "3", "--batch", "5", "--threads", "2"]
    call(monkeypatch, NAME, *arguments, "--store", str(store))
    said = capsys.readouterr().out
    assert said.startswith("Trial 1, ")
    rows = [line.split() for line in said.splitlines() if " here " in line]
    assert [row[0] for row in rows] == ["3", "5"]
    assert ", 2 threads, " in said
    assert "The study has not measured it: see tracking.log_latency." in said


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("format_name", "runtime"),
    [("safetensors", "torch "), ("torch_export", "torch "), ("onnx", "onnxruntime ")],
)
def test_an_exported_folder_is_timed_without_its_study_by_what_its_file_is_for(
    format_name: str,
    runtime: str,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened = OpenedStudy.open(NAME, store, None)
    model = opened.final_model(next(iter(opened.record.trials.values())))
    export_model(model, tmp_path / "model", format_name=format_name)
    call(monkeypatch, "--exported", str(tmp_path / "model"))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'model'}: s trial 0 megabatch 1" in said
    assert [line.split()[0] for line in said.splitlines() if " here " in line] == ["1", "64"]
    assert f"Here: {runtime}" in said
    assert ", 1 thread, " in said


def test_a_module_is_imported_for_an_exported_folder_if_it_is_asked_for(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened = OpenedStudy.open(NAME, store, None)
    model = opened.final_model(next(iter(opened.record.trials.values())))
    export_model(model, tmp_path / "model", format_name="safetensors")
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, "--exported", str(tmp_path / "model"), "--plugins", "no_such_lab")
    assert ended.value.code == 2
    assert "no module 'no_such_lab'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "takes the name of a study or --exported FOLDER, one of the two"),
        ((NAME, "--exported", "out"), "one of the two"),
        ((NAME, "--plugins", "my_lab"), "--plugins is for --exported"),
        (("--exported", "nowhere"), "a folder that app-study export wrote has one"),
        ((NAME, "--trial", "7"), "no trial '7'"),
        ((NAME, "--threads", "0"), "threads"),
        ((NAME, "--batch", "0"), "batch"),
        (("other",), "other"),
    ],
)
def test_a_mistake_ends_in_its_remedy_and_exit_code_two(
    arguments: tuple[str, ...],
    words: str,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, *arguments, "--store", str(store))
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
