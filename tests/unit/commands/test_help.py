"""Help comes at once: nothing heavy is imported for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "ray", "mlflow", "optuna", "pandas", "numpy")
COMMANDS = (
    "init",
    "launch",
    "resume",
    "extend",
    "check",
    "confirm",
    "sync",
    "list",
    "status",
    "ui",
    "run",
    "validate",
    "schema",
    "examples",
    "plan",
    "replay",
    "plugins",
    "export",
    "latency",
    "update",
)
SCRIPT = f"""
import sys
from study.cli import app
for arguments in (["--help"], *([c, "--help"] for c in {COMMANDS!r})):
    app(arguments, prog_name="app-study", standalone_mode=False)
print("heavy:", sorted(set({HEAVY!r}) & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def said() -> str:
    """What all the helps say, and which heavy modules they have imported."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    return ended.stdout


def test_no_help_imports_anything_heavy(said: str) -> None:
    assert said.splitlines()[-1] == "heavy: []"


def test_the_help_names_every_command(said: str) -> None:
    for command in COMMANDS:
        assert f"Usage: app-study {command}" in said


def test_every_command_of_the_program_is_among_those_tested() -> None:
    from study.cli import app

    names = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    assert set(COMMANDS) <= set(names)
    assert sorted(names) == sorted(COMMANDS)
