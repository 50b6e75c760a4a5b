"""The schema in the language server that editors use for YAML: `make test-editor`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.language_server import LanguageServer, language_server

pytestmark = pytest.mark.editor

SPACES = Path(__file__).parents[2] / "search_spaces"
VARIABLE = "YAML_LANGUAGE_SERVER"
HEAD = "# yaml-language-server: $schema=study.schema.json\nname: a\n"


def program() -> str:
    """The server's path. That there is none is a failure, not a reason to pass."""
    found = os.environ.get(VARIABLE) or shutil.which("yaml-language-server")
    if not found:
        pytest.fail(
            f"no yaml-language-server on the PATH; npm install --global yaml-language-server, or "
            f"give its path in the environment variable {VARIABLE}",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    folder = tmp_path_factory.mktemp("studies")
    shutil.copy(SPACES / "study.schema.json", folder)
    with language_server(program(), folder) as started:
        yield started


@pytest.mark.parametrize("path", sorted(SPACES.rglob("*.yaml")), ids=lambda path: path.name)
def test_nothing_is_underlined_in_a_ready_made_study(server: LanguageServer, path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("../study.schema", "study.schema")
    assert server.problems(text) == []


@pytest.mark.parametrize(
    ("file", "offered"),
    [
        ("fixed:\n  pruning.criterion: synflow\n  |\n", "pruning.rounds"),
        ("fixed:\n  pruning:\n    criterion: synflow\n    |\n", "rounds"),
    ],
)
def test_the_settings_of_the_chosen_criterion_are_offered_and_no_others(
    server: LanguageServer, file: str, offered: str
) -> None:
    labels = server.completions(HEAD + file)
    assert offered in labels
    assert offered.replace("rounds", "temperature") not in labels  # that of grasp
    settings = [label for label in labels if "." in label or "." not in offered]
    assert len(settings) == len(set(settings))


def test_the_settings_of_all_searched_criteria_are_offered(server: LanguageServer) -> None:
    searched = "search:\n  space:\n    pruning.criterion: [synflow, grasp]\n"
    labels = server.completions(f"{HEAD}fixed:\n  |\n{searched}")
    assert {"pruning.rounds", "pruning.temperature"} <= set(labels)


def test_the_names_of_plug_ins_are_offered_and_explained(server: LanguageServer) -> None:
    labels = server.completions(f"{HEAD}fixed:\n  pruning.criterion: |\n")
    assert {"snip", "synflow", "magnitude"} <= set(labels)
    assert "arXiv" in server.hover(f"{HEAD}fixed:\n  pruning.crite|rion: snip\n")


def test_what_makes_a_range_is_offered(server: LanguageServer) -> None:
    labels = server.completions(f"{HEAD}search:\n  space:\n    training.lr:\n      |\n")
    assert {"low", "high", "log", "step", "choices", "when"} <= set(labels)


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        ("fixed:\n  trainning.lr: 0.1\n", 3, "trainning.lr"),
        ("fixed:\n  pruning.criterion: snip\n  pruning.temperature: 3\n", 4, "temperature"),
        ("fixed:\n  training.lr: -1\n", 3, "minimum"),
        ("fixed:\n  training.epochs: ten\n", 3, "integer"),
        ("fixed:\n  pruning.criterion: snap\n", 3, "snip"),
        ("search:\n  space:\n    pruning.criterion: [snip, snap]\n", 4, "snip"),
        ("search:\n  space:\n    training.lr: {low: 0.1}\n", 4, "high"),
        ("objective: {metrics: [servce_error]}\n", 2, "service_error"),
        ("budgit: {trials: 3}\n", 2, "budgit"),
    ],
)
def test_what_is_wrong_is_underlined_where_it_stands(
    server: LanguageServer, file: str, line: int, says: str
) -> None:
    problems = server.problems(HEAD + file)
    assert [at for at, _ in problems] == [line]
    assert says in problems[0][1]
