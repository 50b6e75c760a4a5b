"""The README's commands run, and it stays a screen or two, so that neither can rot."""

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


def test_every_command_of_the_program_stands_in_the_table_of_commands() -> None:
    table = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    for program in ("app-study", "app-report"):
        done = run([program, "--help"], ROOT)
        # A command's line in the help is "│ name   what it does".
        commands = re.findall(r"^│ ([a-z]+) {2,}", done.stdout, flags=re.MULTILINE)
        assert commands, done.stdout
        missing = [name for name in commands if not re.search(rf"[` ]{name}[` ]", table)]
        assert not missing, f"{program}: {missing}"


def test_it_says_what_and_how_and_leads_on() -> None:
    assert len(README.splitlines()) < 80
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
