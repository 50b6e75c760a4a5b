"""Every study that comes with the project is right, and found under its own name."""

from pathlib import Path

import pytest

from analysis.reports.claims.claims import CLAIMS
from study.comparisons import pairs_needed
from study.config.loading import load_study
from study.config.study_config import StudyConfig
from study.operations.planned_comparisons import planned_pairs

FOLDER = Path(__file__).parents[1] / "search_spaces"
PATHS = sorted(FOLDER.rglob("*.yaml"))


@pytest.fixture(scope="module")
def studies() -> dict[Path, StudyConfig]:
    """Path → study."""
    return {path.relative_to(FOLDER): load_study(path) for path in PATHS}


def test_there_are_studies() -> None:
    assert {"quickstart.yaml", "mnist.yaml"} <= {path.name for path in PATHS}


def test_every_file_is_a_study_with_trials(studies: dict[Path, StudyConfig]) -> None:
    for path, study in studies.items():
        assert len(study.points) + study.num_proposals > 0, path
        assert study.description, path


def test_a_study_is_called_as_its_file(studies: dict[Path, StudyConfig]) -> None:
    for path, study in studies.items():
        parts = [*path.parent.parts, *path.stem.split("_")]
        assert study.name == "-".join(parts), path


def test_no_two_studies_have_the_same_name(studies: dict[Path, StudyConfig]) -> None:
    names = [study.name for study in studies.values()]
    assert len(set(names)) == len(names)


def test_every_trial_that_is_named_can_be_told_from_the_others(
    studies: dict[Path, StudyConfig],
) -> None:
    for path, study in studies.items():
        keys = [study.compose(point).key() for point in study.points]
        assert len(set(keys)) == len(keys), path


def test_the_quickstart_searches_what_it_says(studies: dict[Path, StudyConfig]) -> None:
    study = studies[Path("quickstart.yaml")]
    assert set(study.space.paths) == {
        "pruning.final_density", "pruning.schedule", "stream.num_megabatches",
    }  # fmt: skip
    assert study.num_proposals >= 16
    baselines = {(p["pruning.schedule"], p["stream.num_megabatches"]) for p in study.points}
    assert {(s, t) for s in ("dense", "one_shot") for t in (2, 4, 8)} <= baselines


def test_studies_for_the_claims_have_the_pairs_that_all_claims_together_take(
    studies: dict[Path, StudyConfig],
) -> None:
    made = {path: study for path, study in studies.items() if path.stem.startswith("claims_")}
    assert len(made) == 3
    for path, study in made.items():
        pairs = planned_pairs(study)
        assert len(pairs) >= 4, path
        assert min(pairs) >= pairs_needed(len(CLAIMS)), path
