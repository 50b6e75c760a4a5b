"""The recipes work as they stand, and every path and command that they name exists."""

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.presentation.report import REPORTS
from study.pruning.schedules import SCHEDULES, PruningEvent
from tests.helpers.recorded_studies import recorded

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SCHEDULE, REPORT = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Any:
    """The class of a recipe, taken out of its registry again."""
    registry, code, name = request.param
    space: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), space)
    yield registry.get(name)
    del registry._classes[name]


@pytest.mark.parametrize("made", [(SCHEDULES, SCHEDULE, "halfway")], indirect=True)
@pytest.mark.parametrize("num_megabatches", [1, 2, 5])
def test_the_schedule_never_rises_and_ends_on_its_target(made: Any, num_megabatches: int) -> None:
    densities = [
        made().density(PruningEvent(k, num_megabatches, target_density=0.2))
        for k in range(1, num_megabatches + 1)
    ]
    assert densities == sorted(densities, reverse=True)
    assert densities[-1] == 0.2


@pytest.mark.parametrize("made", [(REPORTS, REPORT, "outcomes")], indirect=True)
def test_the_report_speaks_of_a_recorded_study(made: Any) -> None:
    section = made().build(recorded("digits-search"))
    assert any(line.startswith("complete: ") for line in section.sentences)


def test_the_paths_and_make_targets_that_it_names_exist() -> None:
    paths = re.findall(r"(?:study|analysis|tests|docs)/[\w/.]+\w", TEXT)
    stood_for = ("NAME", "report.py")
    missing = [
        path for path in paths
        if not any(word in path for word in stood_for) and not (ROOT / path).exists()
    ]  # fmt: skip
    assert len(paths) > 20
    assert missing == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`?make ([a-z-]+)", TEXT)
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
