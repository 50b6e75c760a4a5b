"""What a cluster's nodes are sent, and where the cluster is."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import study
from study.config.addresses import ray_address
from study.config.plugins import load_user_plugins
from study.config.study_sections import ResourcesSection
from study.errors import StudyError
from study.tune.cluster.code_shipping import code_environment
from study.tune.cluster.connection import chosen_address, ray_session

OURS = str(Path(study.__file__).parent)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's with a package and a module."""
    (tmp_path / "labpackage" / "deep").mkdir(parents=True)
    for path in ("labpackage/__init__.py", "labpackage/deep/__init__.py", "labmodule.py"):
        (tmp_path / path).touch()
    before = list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = before
    for name in [n for n in sys.modules if n.startswith("lab")]:
        del sys.modules[name]


def test_plugins_are_sent_as_their_top_level_package_or_file_each_once(lab: Path) -> None:
    plugins = ["labpackage.deep", "labmodule", "labpackage"]
    load_user_plugins(plugins)
    sent = code_environment(plugins, {"A": "1"})
    assert sent["py_modules"] == [OURS, str(lab / "labpackage"), str(lab / "labmodule.py")]
    assert sent["env_vars"] == {"A": "1"}


def test_what_is_installed_or_ours_already_is_not_sent_again() -> None:
    plugins = ["torch.nn", "study.pruning.criteria", "json"]
    load_user_plugins(plugins)
    assert code_environment(plugins, {})["py_modules"] == [OURS]


def test_what_a_submitted_job_says_itself_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"runtime_env": {"py_modules": ["a"], "working_dir": "b", "env_vars": {"A": "2"}}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    sent = code_environment([], {"A": "1", "B": "1"})
    assert "py_modules" not in sent
    assert sent["env_vars"] == {"B": "1"}


def test_the_package_that_ray_makes_of_it_holds_the_code_and_nothing_hidden(
    tmp_path: Path,
) -> None:
    from ray._private.runtime_env.packaging import create_package

    folder = tmp_path / "labfolder"
    for name in ("a.py", "deep/b.py", "names.yaml", ".git/x", "__pycache__/c.pyc", "mlruns/d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")
    create_package(
        str(folder),
        tmp_path / "made.zip",
        include_gitignore=True,
        include_parent_dir=True,
        excludes=code_environment([], {})["excludes"],
    )
    assert {n for n in zipfile.ZipFile(tmp_path / "made.zip").namelist() if n[-1] != "/"} == {
        "labfolder/a.py", "labfolder/deep/b.py", "labfolder/names.yaml",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["auto", "local", "head:6379", "10.0.0.5:1", "[::1]:6379"])
def test_addresses_of_clusters_are_taken_as_they_are(value: str) -> None:
    assert ray_address(value) == value
    assert ResourcesSection(address=value).address == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ray://head:10001", "ray job submit"),
        ("http://head:8265", "ray job submit"),
        ("head", "HOST:PORT"),
        ("head:99999", "HOST:PORT"),
        ("", "HOST:PORT"),
        ("a b:1", "HOST:PORT"),
    ],
)
def test_what_is_no_clusters_address_is_refused_with_the_remedy(value: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ray_address(value)


def test_the_study_goes_before_the_variable_and_the_variable_before_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert chosen_address(None) == "local"
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert chosen_address(None) == "head:6379"
    assert chosen_address("local") == "local"
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(StudyError, match="RAY_ADDRESS is a Ray client's address"):
        chosen_address(None)


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    with (
        pytest.raises(StudyError, match=r"no Ray cluster at 127\.0\.0\.1:1 .*ray job submit"),
        ray_session("127.0.0.1:1", []),
    ):
        pass


def test_a_ray_of_our_own_that_does_not_start_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def init(**_: object) -> None:
        raise RuntimeError("The current node timed out during startup.\nand more")

    monkeypatch.setattr("ray.init", init)
    told = pytest.raises(StudyError, match=r"timed out during startup; try again when")
    with told, ray_session("local", []):
        pass
