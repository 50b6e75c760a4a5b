"""The image of the program in deploy/: its instructions against the repository and its wheel.

Nothing is built here: no test asks a docker daemon.
"""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KNOWN = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, comments and continuations resolved."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(name, words.strip()) for name, _, words in pairs]


def words(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def test_the_base_of_the_image_is_an_argument_and_no_unknown_instruction_is_used() -> None:
    assert {name for name, _ in instructions()} <= KNOWN
    first = instructions()[0]
    assert first[0] == "ARG"
    assert first[1].startswith("BASE=python:3.11")
    assert words("FROM") == ["python:3.11-slim AS wheel", "${BASE}"]


def test_what_is_copied_is_in_the_repository_and_is_sent_to_the_daemon() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    sent = [line[1:] for line in ignored if line.startswith("!")]
    copied = [
        source
        for rest in words("COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert set(copied) == set(sent)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_the_wheel_is_made_of_all_that_its_build_reads() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    copied = {source for rest in words("COPY") for source in rest.split()[:-1]}
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= copied
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert all(any(fnmatch(source, p) for source in copied) for p in packages)


def test_the_program_runs_as_nobody_in_particular_in_a_folder_of_its_own() -> None:
    (user,) = words("USER")
    assert user == "app-study"
    run = "\n".join(words("RUN"))
    assert f"useradd --create-home --uid 10001 {user}" in run
    assert f"chown {user} /studies" in run
    assert words("WORKDIR")[-1] == "/studies"
    assert instructions().index(("USER", user)) < instructions().index(("WORKDIR", "/studies"))


def test_what_is_installed_has_the_tested_versions_and_extras_that_exist() -> None:
    (install,) = [run for run in words("RUN") if "bin/pip install" in run]
    assert "--constraint /tmp/constraints.txt" in install
    (extras,) = re.findall(r"\.whl\)\[([a-z0-9,]+)\]", install)
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("program", ["app-study", "app-report"])
def test_the_programs_that_are_linked_are_those_of_the_package(program: str) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert program in scripts
    assert f"/opt/app-study/bin/{program} " in "\n".join(words("RUN"))
