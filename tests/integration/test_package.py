"""The wheel and the sdist: what is in them, and a study from the wheel without the repository."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("study", "analysis", "search_spaces")
SUFFIXES = (".py", ".yaml", ".json", ".typed", ".css", ".js", ".j2")

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both, as ``make package`` has built them, else built here."""
    if given := os.environ.get("APP_STUDY_DIST"):
        return Path(given)
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "build"))
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)], source)
    return folder


def run(command: list[str], cwd: Path, **environment: str) -> str:
    """What a command printed, which must have ended well."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked() -> set[str]:
    """The files of the packages in the repository."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in SUFFIXES
    }


def test_the_wheel_and_the_sdist_hold_every_file_of_the_packages_and_no_others(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        in_wheel = {name for name in file.namelist() if ".dist-info/" not in name}
    assert in_wheel == tracked()
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert in_sdist >= tracked() | {"pyproject.toml", "README.md", "LICENSE"}


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies are those of this one.

    What this environment has installed is seen there, and not its editable install: a folder that
    a .pth file names is searched without its own .pth files.
    """
    place = tmp_path_factory.mktemp("fresh") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(place)], place.parent)
    paths = {"base": str(place), "platbase": str(place)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = dist.glob("*.whl")
    python = str(place / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], place.parent)
    return place / "bin"


@pytest.fixture
def here(tmp_path: Path, environment: Path) -> Path:
    """A working directory in which nothing of the repository is found."""
    where = run(
        [str(environment / "python"), "-c", "import study; print(study.__file__)"], tmp_path
    )
    assert ROOT not in Path(where.strip()).parents
    return tmp_path


def test_an_example_is_listed_copied_and_run(here: Path, environment: Path) -> None:
    app_study = str(environment / "app-study")
    assert "quickstart" in run([app_study, "examples"], here)
    run([app_study, "examples", "quickstart"], here)
    settings = "training.total_samples=2000 pruning.schedule=app pruning.final_density=0.3"
    settings += " stream.num_megabatches=2 pruning.criterion=magnitude"
    overrides = [word for one in settings.split() for word in ("--set", one)]
    said = run([app_study, "run", "quickstart.yaml", *overrides], here)
    assert re.search(r"service_error +0\.\d", said)


@pytest.mark.ray
def test_a_study_is_launched_and_reported(here: Path, environment: Path) -> None:
    run([str(environment / "app-study"), "examples", "quickstart"], here)
    small = ["budget.trials=1", "confirm.seeds=2", "training.total_samples=4000"]
    overrides = [word for one in small for word in ("--set", one)]
    said = run([str(environment / "app-study"), "launch", "quickstart.yaml", *overrides], here)
    assert "is finished" in said
    assert "cannot" not in said.partition("•")[0]
    frames = run([str(environment / "app-report"), "runs", "quickstart", "--format", "csv"], here)
    assert "service_error" in frames or "service error" in frames
