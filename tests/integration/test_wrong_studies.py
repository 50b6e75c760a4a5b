"""Wrong studies end in one screen that names path and remedy, with exit code 2, and start nothing.

``launch`` and ``validate --data`` say the same; what can be said without data, ``validate`` says.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from study.cli import main
from study.config.yaml_io import write_yaml

ROOT = Path(__file__).parents[2]
SCREEN = 24
FIXED: dict[str, Any] = {
    "data.dataset": "synthetic",
    "data.num_examples": 60,
    "data.num_test_examples": 20,
    "model.architecture": "mlp",
    "pruning.final_density": 0.5,
    "training.total_samples": 200,
    "training.batch_size": 8,
    "stream.num_megabatches": 2,
}
SEARCHED = {"pruning.final_density": {"low": 0.1, "high": 1.0, "log": True}}
SEARCHED_T = {"stream.num_megabatches": [1, 2, 4]}
ABSENT = object()


@dataclass(frozen=True)
class Wrong:
    """A wrong file, and what its message must say."""

    content: str | bytes | None  # None: no file
    says: tuple[str, ...]
    data: bool = False  # whether it takes the data to see it


def fixed(**changes: Any) -> dict[str, Any]:
    """The fixed values with changes; ``__`` stands for the dot."""
    made = {**FIXED, **{key.replace("__", "."): value for key, value in changes.items()}}
    return {key: value for key, value in made.items() if value is not ABSENT}


def study(**changes: Any) -> str:
    """A study of one trial with changes at the top."""
    made = {"name": "wrong", "fixed": FIXED, **changes}
    return write_yaml({key: value for key, value in made.items() if value is not ABSENT})


def search(space: dict[str, Any], **changes: Any) -> str:
    """A search over ``space`` with changes at the top."""
    free = {path: value for path, value in FIXED.items() if path not in space}
    made: dict[str, Any] = {
        "fixed": free,
        "search": {"space": space},
        "objective": {"metrics": ["service_error"]},
        "budget": {"trials": 2},
        **changes,
    }
    return study(**made)


def without_samples(space: dict[str, Any]) -> dict[str, Any]:
    """The fixed values, epochs instead of a number of examples."""
    made = fixed(training__total_samples=ABSENT, training__epochs=1)
    return {path: value for path, value in made.items() if path not in space}


def mnist(root: object) -> dict[str, Any]:
    """The fixed values of a study on the files of MNIST."""
    made = fixed(data__num_examples=ABSENT, data__num_test_examples=ABSENT, data__root=root)
    made = {**made, "data.dataset": "mnist"}
    return {path: value for path, value in made.items() if value is not ABSENT}


def metrics(*names: str) -> dict[str, Any]:
    return {"metrics": list(names)}


def bomb() -> str:
    """Nine levels of nine aliases: a billion values from a few lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines)


def geometric(rate: Any, high: int) -> str:
    space = {
        "pruning.rate": rate,
        "stream.num_megabatches": {"low": 1, "high": high},
    }
    free = fixed(pruning__final_density=ABSENT, stream__num_megabatches=ABSENT)
    return search(space, fixed={**free, "pruning.schedule": "geometric"})


WRONG: dict[str, Wrong] = {
    "no file": Wrong(None, ("no such file", "check the path")),
    "an empty file": Wrong("", ("is empty", "name and fixed")),
    "a binary file": Wrong(bytes(range(256)), ("not text", "give a study file")),
    "text that is no mapping": Wrong("- 1\n- 2\n", ("must be a mapping", "name and fixed")),
    "a syntax error": Wrong("name: [a\nfixed: {", ("line 2", "not YAML")),
    "a tab": Wrong("name: a\nfixed:\n\tseed: 1\n", ("line 3", "not YAML")),
    "two documents": Wrong("name: a\n---\nname: b\n", ("line 2", "not YAML")),
    "a tag that runs code": Wrong("name: !!python/object/apply:os.getcwd []", ("not YAML",)),
    "a duplicate key": Wrong("name: a\nname: b\n", ("line 2", "'name'", "keep one")),
    "a key that is no text": Wrong("1: a\n", ("line 1", "not text")),
    "an alias bomb": Wrong(bomb(), ("aliases", "write fewer")),
    "an alias to itself": Wrong("fixed: &a {data: *a}\n", ("contains itself", "remove the alias")),
    "deep nesting": Wrong("[" * 5000 + "]" * 5000, ("levels deep",)),
    "an unknown key": Wrong(study(budgit={}), ("budgit: unknown key", "'budget'")),
    "an unknown section of a trial": Wrong(
        study(fixed={**FIXED, "trainning.lr": 0.1}), ("fixed.trainning.lr", "'training'")
    ),
    "an unknown value of a trial": Wrong(
        study(fixed=fixed(training__learning_rate=0.1)), ("fixed.training.learning_rate", "known:")
    ),
    "a section as a value": Wrong(
        study(fixed={**FIXED, "training": 3}), ("fixed.training", "write paths such as")
    ),
    "a path given twice": Wrong(
        study(fixed={**FIXED, "training": {"batch_size": 4}}),
        ("fixed.training.batch_size", "keep one"),
    ),
    "out of range": Wrong(
        study(fixed=fixed(training__lr=-1)), ("fixed.training.lr: must be above 0", "-1")
    ),
    "a number beyond all numbers": Wrong(
        study().replace("final_density: 0.5", "final_density: 1e400"),
        ("fixed.pruning.final_density", "finite"),
    ),
    "not a number": Wrong(
        study().replace("final_density: 0.5", "final_density: .nan"),
        ("fixed.pruning.final_density: must be a number",),
    ),
    "a wrong type": Wrong(
        study(fixed=fixed(training__epochs="ten", training__total_samples=ABSENT)),
        ("fixed.training.epochs: must be a whole number", "'ten'"),
    ),
    "an octal": Wrong(
        study().replace("batch_size: 8", "batch_size: 010"),
        ("fixed.training.batch_size: must be a whole number",),
    ),
    "several values of a fixed path": Wrong(
        study(fixed=fixed(training__lr=[0.1, 0.2])), ("fixed.training.lr", "axes or search.space")
    ),
    "a fixed section left empty": Wrong(study(fixed=None), ("fixed: is empty", "leave it out")),
    "no name": Wrong(study(name=ABSENT), ("name: must be given", "letters, digits")),
    "a name that is a path": Wrong(study(name="../../x"), ("name: cannot be '../../x'",)),
    "a name that speaks SQL": Wrong(study(name="'; DROP TABLE runs"), ("name: cannot be",)),
    "a name of HTML": Wrong(study(name="<script>alert(1)</script>"), ("name: cannot be",)),
    "a name that steers a terminal": Wrong(
        study(name="\x1b[31mred"), ("line 1", "U+001B", "remove it")
    ),
    "a name that is a device": Wrong(study(name="CON.1"), ("name: cannot be", "device")),
    "a name that ends in a dot": Wrong(study(name="a."), ("name: cannot be 'a.'",)),
    "a description that reads backwards": Wrong(
        study(description="a\u202eb"), ("line 11", "U+202E", "remove it")
    ),
    "a folder with a NUL": Wrong(
        study(resources={"storage_path": "a\0b"}), ("U+0000", "remove it")
    ),
    "half a character": Wrong('name: "\\ud800"', ("U+D800", "remove it")),
    "a tag that does not fit": Wrong("name: !!bool x", ("line 1", "the tag 'bool'")),
    "UTF-16": Wrong(study().encode("utf-16"), ("is not text (UTF-8)",)),
    "a NUL byte": Wrong("name: a\0b", ("not YAML",)),
    "more than fits in a study": Wrong("#" * 300_000, ("larger than",)),
    "more examples than fit in memory": Wrong(
        study(fixed=fixed(data__num_examples=10**12)), ("data.dataset", "GiB"), data=True
    ),
    "a name of emoji": Wrong(study(name="🦆"), ("name: cannot be '🦆'",)),
    "a name of 10 kB": Wrong(study(name="x" * 10_000), ("name: cannot be", "up to 80")),
    "a key of 10 kB": Wrong(study(**{"k" * 10_000: 1}), ("unknown key",)),
    "both tau and final_density": Wrong(
        study(fixed=fixed(pruning__tau=4.5)), ("pruning.final_density", "not both")
    ),
    "neither tau nor final_density": Wrong(
        study(fixed=fixed(pruning__final_density=ABSENT)),
        ("pruning.final_density", "none is given"),
    ),
    "both tau and rate": Wrong(
        study(fixed=fixed(pruning__final_density=ABSENT, pruning__tau=4.5, pruning__rate=0.2)),
        ("fixed.pruning.rate", "geometric alone", "leave this out"),
    ),
    "a target under geometric": Wrong(
        study(fixed=fixed(pruning__schedule="geometric")),
        ("fixed.pruning.final_density", "leave it out"),
    ),
    "a rate above one": Wrong(
        study(
            fixed=fixed(
                pruning__schedule="geometric", pruning__final_density=ABSENT, pruning__rate=20
            )
        ),
        ("fixed.pruning.rate", "20 % is 0.2"),
    ),
    "both epochs and total_samples": Wrong(
        study(fixed=fixed(training__epochs=3)),
        ("training.epochs", "exactly one", "not both epochs and total_samples"),
    ),
    "an unknown plug-in": Wrong(
        study(fixed=fixed(pruning__criterion="snap")),
        ("fixed.pruning.criterion: unknown", "did you mean 'snip'?"),
    ),
    "a plug-in that is a list of lists": Wrong(
        study(fixed=fixed(pruning__schedule=[[1], {"a": 2}])), ("fixed.pruning.schedule",)
    ),
    "a module that is missing": Wrong(
        study(plugins=["no_lab.criteria"]), ("plugins: there is no module 'no_lab'", "PYTHONPATH")
    ),
    "a module that fails": Wrong(
        study(plugins=["broken_lab"]), ("plugins", "ZeroDivisionError", "line 2", "mend it")
    ),
    "a module that leaves": Wrong(study(plugins=["leaving_lab"]), ("plugins", "SystemExit")),
    "a module that is a path": Wrong(
        study(plugins=["../lab.py"]), ("plugins: '../lab.py' is not a module name", "write e.g.")
    ),
    "plugins that are no list": Wrong(study(plugins="my_lab"), ("plugins: must be a list",)),
    "search that is no mapping": Wrong(
        study(search=[]), ("search: must be a mapping", "some of: space")
    ),
    "a search without objective": Wrong(
        search(SEARCHED, objective=ABSENT), ("objective: a search needs one, e.g.",)
    ),
    "a search without budget": Wrong(
        search(SEARCHED, budget=ABSENT), ("budget.trials: a search needs", "e.g. 20")
    ),
    "a search of nothing": Wrong(search({}), ("search.space: is empty", "leave search out")),
    "a budget without search": Wrong(
        study(budget={"trials": 3}), ("budget.trials", "leave it out")
    ),
    "axes that are a number": Wrong(study(axes=3), ("axes: must map paths to values", "e.g.")),
    "axes that are nothing": Wrong(study(axes=0), ("axes: must map paths to values", "e.g.")),
    "axes with search": Wrong(
        search(SEARCHED, axes={"seed": [0, 1]}), ("axes", "not both", "leave search out")
    ),
    "too many cells": Wrong(
        study(axes={"seed": list(range(200)), "saliency.batch_size": list(range(1, 101))}),
        ("axes: stands for 20,000 trials", "give fewer"),
    ),
    "too many points": Wrong(
        search(
            SEARCHED,
            search={
                "space": SEARCHED,
                "points": [
                    {
                        "pruning.final_density": 0.5,
                        "seed": list(range(200)),
                        "saliency.batch_size": list(range(1, 101)),
                    }
                ],
            },
        ),
        ("search.points: stands for 20,000 trials", "give fewer"),
    ),
    "an axis that is fixed as well": Wrong(
        study(axes={"training.batch_size": [8, 16]}), ("axes.training.batch_size", "keep one")
    ),
    "low above high": Wrong(
        search({"pruning.final_density": {"low": 0.9, "high": 0.1}}),
        ("search.space.pruning.final_density", "low 0.9 is above high 0.1"),
    ),
    "log from zero": Wrong(
        search({"pruning.final_density": {"low": 0, "high": 1, "log": True}}),
        ("search.space.pruning.final_density.low", "above 0"),
    ),
    "a high that no step meets": Wrong(
        search({"pruning.final_density": {"low": 0.1, "high": 1.0, "step": 0.4}}),
        ("search.space.pruning.final_density.step", "set high to 0.9"),
    ),
    "a range with an end outside": Wrong(
        search({"pruning.final_density": {"low": 0.1, "high": 1.5}}),
        ("search.space.pruning.final_density: must be at most 1", "1.5"),
    ),
    "a range without end": Wrong(
        search({"pruning.final_density": {"low": 10**400, "high": 1}}),
        ("search.space.pruning.final_density.low: must be a number",),
    ),
    "a range of names": Wrong(
        search({"model.architecture": {"low": 1, "high": 2}}),
        ("search.space.model.architecture", "list of choices"),
    ),
    "a choice that no plug-in has": Wrong(
        search({"pruning.criterion": ["snip", "snap"]}),
        ("search.space.pruning.criterion: unknown criterion 'snap'", "'snip'"),
    ),
    "no choices": Wrong(
        search({"pruning.criterion": []}), ("search.space.pruning.criterion", "at least one")
    ),
    "a single value searched": Wrong(
        search({"pruning.criterion": "snip"}),
        ("search.space.pruning.criterion", "belongs under fixed"),
    ),
    "a condition on what is not there": Wrong(
        search({"training.lr": {"low": 0.1, "high": 0.2, "when": {"training.keeep": "best"}}}),
        ("search.space.training.lr.when.training.keeep", "did you mean 'training.keep'?"),
    ),
    "conditions in a circle": Wrong(
        search(
            {
                "training.keep": {"choices": ["best", "last"], "when": {"stream.replay": "full"}},
                "stream.replay": {"choices": ["full", "none"], "when": {"training.keep": "best"}},
            }
        ),
        ("search.space.training.keep: depends in a circle on stream.replay", "remove a condition"),
    ),
    "a condition that is never met": Wrong(
        search({"training.lr": {"low": 0.1, "high": 0.2, "when": {"stream.replay": "none"}}}),
        ("search.space.training.lr: exists in no trial", "leave it out"),
    ),
    "a setting whose plug-in is not searched": Wrong(
        search({"pruning.rate": {"low": 0.1, "high": 0.2}}),
        ("search.space.pruning.rate: exists in no trial", "pruning.schedule"),
    ),
    "a point that leaves a searched path open": Wrong(
        search(SEARCHED, search={"space": SEARCHED, "points": [{"seed": 1}]}),
        ("search.points.0", "gives no value for pruning.final_density", "add it"),
    ),
    "a point with an impossible value": Wrong(
        search(SEARCHED, search={"space": SEARCHED, "points": [{"pruning.final_density": 2}]}),
        ("search.points.0.pruning.final_density: must be at most 1",),
    ),
    "searched and fixed": Wrong(
        search(SEARCHED, fixed=FIXED), ("search.space.pruning.final_density", "keep one")
    ),
    "an objective that is no list": Wrong(
        search(SEARCHED, objective={"metrics": "service_error"}),
        ("objective.metrics: must be a list", "write [service_error]"),
    ),
    "an unknown metric": Wrong(
        search(SEARCHED, objective=metrics("sevice_error")),
        ("objective.metrics", "did you mean 'service_error'?"),
    ),
    "a metric twice": Wrong(
        search(SEARCHED, objective=metrics("final_error", "final_error")),
        ("objective.metrics", "keep one"),
    ),
    "a test metric": Wrong(
        search(SEARCHED, objective=metrics("test_service_error")),
        ("objective.metrics", "use service_error", "allow_test_objective"),
    ),
    "CER while T is searched": Wrong(
        search(SEARCHED_T, objective=metrics("cumulative_errors")),
        ("objective.metrics", "rewards T = 1", "use service_error"),
    ),
    "mean error while T is searched": Wrong(
        search(SEARCHED_T, objective=metrics("mean_error")),
        ("objective.metrics", "rewards T = 1", "use service_error"),
    ),
    "CER with points of other T": Wrong(
        search(
            SEARCHED,
            search={
                "space": SEARCHED,
                "points": [{"pruning.final_density": 0.5, "stream.num_megabatches": [1, 4]}],
            },
            objective=metrics("cumulative_errors"),
        ),
        ("objective.metrics", "rewards T = 1", "use service_error"),
    ),
    "anytime error with density": Wrong(
        search(SEARCHED, objective=metrics("anytime_error", "final_density")),
        ("objective.metrics", "use service_error"),
    ),
    "T searched with compute uncharged": Wrong(
        search(SEARCHED_T, fixed=without_samples(SEARCHED_T)),
        ("search.space.stream.num_megabatches", "fix training.total_samples"),
    ),
    "an objective on an empty holdout": Wrong(
        search(
            SEARCHED,
            fixed={**fixed(pruning__final_density=ABSENT), "data.holdout_fraction": 0},
        ),
        ("fixed.data.holdout_fraction", "set it above 0"),
    ),
    "one and a half GPUs": Wrong(
        study(resources={"gpus_per_trial": 1.5}), ("resources.gpus_per_trial", "whole number")
    ),
    "no CPU": Wrong(study(resources={"cpus_per_trial": 0}), ("resources.cpus_per_trial",)),
    "a rate that leaves no weights at the largest T": Wrong(
        geometric({"low": 0.1, "high": 0.97}, high=12),
        ("pruning.rate", "stream.num_megabatches = 12", "one weight in each of its 3 layers"),
        data=True,
    ),
    "a missing data folder": Wrong(
        study(fixed=mnist(root="nowhere")), ("data", "nowhere"), data=True
    ),
    "no data folder at all": Wrong(
        study(fixed=mnist(root=ABSENT)), ("data.root", "--data-root"), data=True
    ),
    "more megabatches than images": Wrong(
        study(fixed=fixed(stream__num_megabatches=500)), ("stream.num_megabatches",), data=True
    ),
    "a layer that no network has": Wrong(
        study(fixed=fixed(pruning__exclude=["nolayer"])), ("pruning.exclude", "nolayer"), data=True
    ),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory where nothing may appear, and a Ray that cannot be imported."""
    (tmp_path / "broken_lab.py").write_text("one = 1\none / 0\n", encoding="utf-8")
    (tmp_path / "leaving_lab.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_STUDY_DATA", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in [name for name in sys.modules if name == "ray" or name.startswith("ray.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    return tmp_path


def write(folder: Path, wrong: Wrong) -> Path:
    path = folder / "study.yaml"
    if isinstance(wrong.content, bytes):
        path.write_bytes(wrong.content)
    elif wrong.content is not None:
        path.write_text(wrong.content, encoding="utf-8")
    return path


def answer(monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of ``app-study``."""
    monkeypatch.setattr(sys, "argv", ["app-study", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0), str(capsys.readouterr().err)


def assert_is_one_screen(code: int, message: str, wrong: Wrong) -> None:
    assert code == 2
    assert message.startswith("error: study.yaml: ")
    assert "Traceback" not in message
    assert len(message.splitlines()) <= SCREEN
    assert len(message) <= SCREEN * 99
    assert "\x1b" not in message
    for fragment in wrong.says:
        assert fragment in message


@pytest.mark.parametrize("name", WRONG)
def test_launch_and_validate_refuse_it_in_the_same_words_and_start_nothing(
    name: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = WRONG[name]
    path = write(desk, wrong).name
    before = sorted(desk.iterdir())

    code, launched = answer(monkeypatch, capsys, "launch", path)
    assert_is_one_screen(code, launched, wrong)
    assert answer(monkeypatch, capsys, "validate", "--data", path) == (2, launched)
    if wrong.data:
        assert answer(monkeypatch, capsys, "validate", path)[0] == 0
    else:
        assert answer(monkeypatch, capsys, "validate", path) == (2, launched)

    assert sorted(desk.iterdir()) == before


@pytest.mark.parametrize("name", ["an unknown key", "a duplicate key", "a missing data folder"])
def test_a_process_of_its_own_ends_with_the_message_and_without_ray(name: str, desk: Path) -> None:
    wrong = WRONG[name]
    path = write(desk, wrong).name
    before = sorted(desk.iterdir())
    ended = subprocess.run(
        [sys.executable, "-B", "-X", "importtime", "-m", "study.cli", "launch", path],
        cwd=desk,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    lines = ended.stderr.splitlines()
    imported = {
        line.rpartition("|")[2].strip() for line in lines if line.startswith("import time")
    }
    message = "\n".join(line for line in lines if not line.startswith("import time"))
    assert_is_one_screen(ended.returncode, message, wrong)
    assert "study.config.study" in imported
    assert not imported & {"ray", "mlflow"}
    assert sorted(desk.iterdir()) == before


def test_a_folder_is_no_study(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "study.yaml").mkdir()
    for command in ("launch", "validate", "run", "plan"):
        code, message = answer(monkeypatch, capsys, command, "study.yaml")
        assert code == 2
        assert "error: study.yaml: 1 problem" in message
        assert "is a folder; give the path of a YAML file" in message


@pytest.mark.usefixtures("desk")
def test_a_file_that_may_not_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = answer(monkeypatch, capsys, "validate", "x" * 5000 + ".yaml")
    assert code == 2
    assert "cannot be read: File name too long" in message
    assert len(message) < 500


def test_validate_tells_of_every_file(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "a.yaml").write_text("", encoding="utf-8")
    (desk / "b.yaml").write_text(study(), encoding="utf-8")
    (desk / "c.yaml").write_text(study(name="a/b"), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["app-study", "validate", "a.yaml", "b.yaml", "c.yaml"])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert "a.yaml: 1 problem" in said.err
    assert "c.yaml: 1 problem" in said.err
    assert said.out == "b.yaml: study 'wrong' is valid, 1 trial\n"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("=3", "--set: '=3' is not PATH=VALUE"),
        ("training.lr", "--set: 'training.lr' is not PATH=VALUE"),
        ("training.lr=[1", "--set training.lr: line 1"),
        ("training.lr=fast", "fixed.training.lr: must be a number, got 'fast'"),
        ("training.lr=", "fixed.training.lr: must be a number, got None"),
        ("trainning.lr=1", "--set trainning.lr: unknown key; did you mean 'training'?"),
        ("training.lrr=1", "fixed.training.lrr: unknown path; did you mean 'training.lr'?"),
        ("name.first=1", "--set name.first: name has no keys of its own"),
        ("🦆=1", "--set 🦆: unknown key"),
        ("\x1b[31m=1", "unknown key"),
        ("..=1", "--set ..: unknown key"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(
    override: str,
    says: str,
    desk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (desk / "study.yaml").write_text(study(), encoding="utf-8")
    code, message = answer(monkeypatch, capsys, "validate", "study.yaml", "--set", override)
    assert code == 2
    assert says in message
    assert "\x1b" not in message


@pytest.mark.parametrize("name", ["../../x", "'; DROP", "<script>", "x" * 10_000, "🦆", "\x1b[1m"])
def test_a_study_to_resume_cannot_lie_outside_the_store(
    name: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = answer(monkeypatch, capsys, "resume", name)
    assert code == 2
    assert "no study can be called" in message
    assert len(message) < 1500
    assert "\x1b" not in message
    assert not (desk / "app-studies").exists()


@pytest.mark.usefixtures("desk")
def test_plugins_that_cannot_be_imported_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = answer(monkeypatch, capsys, "plugins", "no_lab")
    assert code == 2
    assert "there is no module 'no_lab'" in message
