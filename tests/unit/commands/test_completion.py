"""What a shell is offered where a name is to be typed: commands, studies, examples."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def completed(program: str, line: str, cwd: Path) -> list[str]:
    """What bash is told for a line of which the last word is to be completed."""
    words = line.split(" ")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.argv = [{words[0]!r}]; from {program} import main; main()",
        ],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            f"_{words[0].upper().replace('-', '_')}_COMPLETE": "complete_bash",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.split()


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """A working directory with two studies in the default store and one elsewhere."""
    for path in ("app-studies/digits", "app-studies/photos", "other/plants"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "record.jsonl").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("program", "line", "offered"),
    [
        ("study.cli", "app-study exa", ["examples"]),
        ("study.cli", "app-study resume ", ["digits", "photos"]),
        ("study.cli", "app-study export p", ["photos"]),
        ("study.cli", "app-study status --store other p", ["plants"]),
        ("study.cli", "app-study status --store s3://bucket/studies ", []),
        (
            "study.cli",
            "app-study examples paper/claims_sm",
            ["paper/claims_small", "paper/claims_smoke"],
        ),
        ("analysis.cli", "app-report pareto d", ["digits"]),
    ],
)
def test_what_begins_so_is_offered(
    program: str, line: str, offered: list[str], studies: Path
) -> None:
    assert completed(program, line, studies) == offered
