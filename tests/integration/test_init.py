"""``app-study init``: a folder of images becomes a study file that validates and launches."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft7Validator
from PIL import Image

from study.cli import main
from study.config.loading import load_study
from study.config.plugins import load_builtin_plugins
from study.config.schema.study_schema import study_schema
from study.config.yaml_io import read_yaml, read_yaml_file
from study.measurement.training_speed import Speed
from study.operations.study_files import sizing
from study.operations.study_files.commented import commented_file
from study.operations.study_files.image_folder import FolderFacts

FLAGS = "--name mine --image-size 8 --architecture mlp"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three classes of a hundred images, and the working directory beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("APP_STUDY_DATA", raising=False)
    generator = np.random.default_rng(0)
    for label in range(3):
        folder = tmp_path / "my images" / f"class {label}"
        folder.mkdir(parents=True)
        for number in range(100):
            pixels = generator.integers(80 * label, 80 * label + 90, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "my images"


def app_study(monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    """Call the command line; its exit code."""
    monkeypatch.setattr(sys, "argv", ["app-study", *shlex.split(words)])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def plan_with(monkeypatch: pytest.MonkeyPatch, examples_per_second: float) -> None:
    """Have plans be made for a machine of this speed."""
    speed = Speed(training=examples_per_second, evaluation=4 * examples_per_second)
    monkeypatch.setattr(
        "study.operations.plan.measure_speeds",
        lambda networks, **_: dict.fromkeys(networks, speed),
    )
    monkeypatch.setattr(sizing.os, "cpu_count", lambda: 1)


def test_the_file_is_valid_to_the_loader_and_to_the_schema_beside_it(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan_with(monkeypatch, 20_000)
    assert app_study(monkeypatch, f"init {shlex.quote(str(images))} --hours 1 {FLAGS}") == 0
    assert "app-study launch mine.yaml" in capsys.readouterr().out
    study = load_study(Path("mine.yaml"))
    assert study.fixed["data.root"] == str(images)
    assert study.confirm is not None
    first = Path("mine.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=study.schema.json"
    assert Path("study.schema.json").exists()
    load_builtin_plugins()
    assert Draft7Validator(study_schema()).is_valid(read_yaml_file(Path("mine.yaml")))


def test_a_long_path_with_blanks_stays_on_its_line() -> None:
    root = "/home/anna/Documents/a project/" + "images of a second batch, by class/" * 6
    facts = FolderFacts(Path(root), 300, 3, has_test=False, image_size=8, is_grey=False)
    raw = {"name": "long", "fixed": {"data.root": root, "data.image_size": 8}}
    sized = sizing.SizedStudy(raw, hours=1.0, max_concurrent=1)
    assert read_yaml(commented_file(sized, facts, schema="study.schema.json")) == raw


@pytest.mark.parametrize("hours", [0.2, 1.0, 8.0])
def test_a_study_fills_the_time_it_is_given_and_no_more(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hours: float
) -> None:
    plan_with(monkeypatch, 800)
    app_study(monkeypatch, f"init {shlex.quote(str(images))} --hours {hours} {FLAGS}")
    study = load_study(Path("mine.yaml"))
    planned = sizing.plan_study(
        study, max_concurrent=1, num_confirming=(study.confirm.top + 1) * study.confirm.seeds
    ).hours
    passes = study.fixed["training.total_samples"] / 300
    assert planned <= hours
    assert planned > 0.4 * hours or passes >= sizing.MOST_PASSES - 1
    assert study.budget.hours == hours
    capsys.readouterr()


def test_too_little_time_is_refused_with_what_it_takes(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan_with(monkeypatch, 1)
    assert app_study(monkeypatch, f"init {shlex.quote(str(images))} --hours 0.1 {FLAGS}") == 2
    assert "give --hours" in capsys.readouterr().err
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("init nowhere", "there is no folder"),
        ("init empty", "two class folders"),
        ("init 'my images' --name taken", "taken.yaml exists"),
        ("init 'my images' --name mine --hours 0 --image-size 8", "--hours must be above 0"),
        ("init 'my images' --name mine --image-size 1", "greater than or equal to 4"),
        ("init 'my images' --name mine --image-size 8 --architecture resnet", "resnet"),
    ],
)
@pytest.mark.usefixtures("images")
def test_mistakes_are_refused_and_write_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    Path("empty").mkdir()
    Path("taken.yaml").write_text("name: taken\n", encoding="utf-8")
    assert app_study(monkeypatch, words) == 2
    assert says in capsys.readouterr().err
    assert not Path("mine.yaml").exists()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_file_launches(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app_study(monkeypatch, f"init {shlex.quote(str(images))} --hours 1 {FLAGS}") == 0
    small = "--set budget.trials=1 --set confirm.seeds=2 --set training.total_samples=600"
    small += " --set search.points=[]"
    assert app_study(monkeypatch, f"launch mine.yaml {small} --set confirm.top=1") == 0
    assert "The study mine is finished" in capsys.readouterr().out
