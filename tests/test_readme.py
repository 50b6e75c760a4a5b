"""The README's commands run and its example plug-in works, so that neither can rot."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_the_readmes_commands_run_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    commands = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith(("app-study", "app-report"))
    ]
    assert len(commands) >= 4
    for line in commands:
        done = run(shlex.split(line), tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "reports" / "quickstart" / "index.html").is_file()


def test_make_study_launches_the_quickstart_after_installing() -> None:
    done = run(["make", "--dry-run", "study", f"VENV={ROOT / '.venv-none'}"], ROOT)
    assert done.returncode == 0, done.stderr
    install, launch = done.stdout.find("pip install"), done.stdout.find("app-study launch")
    assert 0 <= install < launch
    assert "search_spaces/quickstart.yaml" in done.stdout


def test_the_readmes_study_file_is_valid(tmp_path: Path) -> None:
    (study,) = blocks("yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(study, encoding="utf-8")
    done = run(["app-study", "validate", str(path)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "33 trials" in done.stdout


def test_the_readmes_plug_in_can_be_searched_after_one_line_of_yaml(tmp_path: Path) -> None:
    (plugin,) = blocks("python")
    package = tmp_path / "my_lab"
    package.mkdir()
    (package / "criteria.py").write_text(plugin, encoding="utf-8")
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: mine\n"
        "plugins: [my_lab.criteria]\n"
        "fixed:\n"
        "  model.architecture: mlp\n"
        "  pruning.criterion: large_in_layer\n"
        "  pruning.power: 2.0\n"
        "  pruning.final_density: 0.5\n"
        "  stream.num_megabatches: 2\n"
        "  training.total_samples: 512\n",
        encoding="utf-8",
    )
    done = run(["app-study", "run", str(path)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "service_error" in done.stdout
    assert len(plugin.strip().splitlines()) < 25


def test_every_command_of_the_program_stands_in_the_readme() -> None:
    for program in ("app-study", "app-report"):
        done = run([program, "--help"], ROOT)
        # A command's line in the help is "│ name   what it does".
        commands = re.findall(r"^│ ([a-z]+) {2,}", done.stdout, flags=re.MULTILINE)
        assert commands, done.stdout
        missing = [
            name for name in commands if f"`{name}" not in README and f" {name} " not in README
        ]
        assert not missing, f"{program}: {missing}"
