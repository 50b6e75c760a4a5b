"""Each tutorial is followed from its first line to its last, in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1800)]

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
# In a folder of its own, a block whose first line names a file is that file.
NAMED = re.compile(r"# (\S+\.(?:py|yaml))\n")


def steps(tutorial: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of each block of what a reader does; what is only shown is ``text``."""
    text = tutorial.read_text(encoding="utf-8")
    for language, block in re.findall(
        r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE
    ):
        if language != "text":
            yield language, block


def follow(language: str, block: str, folder: Path) -> None:
    if named := NAMED.match(block):
        path = folder / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")
    elif language == "yaml":  # a whole study, for other data than there is here
        (folder / "shown.yaml").write_text(block, encoding="utf-8")
        run(["app-study", "validate", "shown.yaml"], folder)
    elif language == "python":
        run([sys.executable, "-c", block], folder)
    else:
        assert language == "sh"
        for line in block.splitlines():
            assert line.startswith(("app-study ", "app-report ")), line
            run(shlex.split(line), folder)


def run(command: list[str], folder: Path) -> None:
    programs = str(Path(sys.executable).parent)
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("tutorial", sorted(TUTORIALS.glob("*.md")), ids=lambda path: path.stem)
def test_a_tutorial_can_be_followed(tutorial: Path, tmp_path: Path) -> None:
    found = list(steps(tutorial))
    assert len(found) >= 2
    for language, block in found:
        follow(language, block, tmp_path)
