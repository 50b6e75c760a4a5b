"""What seeds can decide is said before the trials are paid for, as the report will count them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.comparison.methods import pairs
from study.cli import app
from study.config.loading import load_study
from study.operations.planned_comparisons import planned_pairs, undecidable
from tests.helpers.recorded_studies import recorded

SPACES = Path(__file__).parents[3] / "search_spaces"
THREE_SEEDS = "axes.seed=[0, 1, 2]"


def test_planned_pairs_are_those_that_the_report_finds() -> None:
    study = load_study(SPACES / "cifar10_architectures.yaml", overrides=[THREE_SEEDS])
    pooled = pairs(recorded("cifar10-architectures"), "test_service_error").pooled()
    assert sorted(planned_pairs(study)) == sorted(c.result.num_pairs for c in pooled)


def test_dense_is_one_partner_at_each_density_and_criteria_are_methods(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: planned\n"
        "fixed: {data.dataset: digits, training.epochs: 1, stream.num_megabatches: 2}\n"
        "axes:\n"
        "  - {pruning.schedule: dense, seed: [0, 1, 2]}\n"
        "  - pruning.schedule: [app, one_shot]\n"
        "    pruning.criterion: [snip, magnitude]\n"
        "    pruning.final_density: [0.1, 0.3]\n"
        "    seed: [0, 1, 2]\n",
        encoding="utf-8",
    )
    # Four methods: six couples of both densities; each method with dense at each density.
    assert sorted(planned_pairs(load_study(path))) == [3] * 8 + [6] * 6


def test_a_search_plans_no_comparison() -> None:
    assert planned_pairs(load_study(SPACES / "quickstart.yaml")) == []


@pytest.mark.parametrize(("seeds", "is_decidable"), [(3, False), (6, False), (7, True)])
def test_three_comparisons_take_seven_pairs(seeds: int, is_decidable: bool) -> None:
    study = load_study(
        SPACES / "cifar10_architectures.yaml",
        overrides=[
            "axes.model.architecture=[convnet]",
            f"axes.seed={list(range(seeds))}",
        ],
    )
    said = undecidable(study)
    assert (said is None) == is_decidable
    if said is not None:
        assert said.startswith(f"{seeds} pairs cannot decide 3 comparisons of methods: 7 would.")


def test_validate_says_so() -> None:
    file = str(SPACES / "cifar10_architectures.yaml")
    said = CliRunner().invoke(app, ["validate", file, "--set", THREE_SEEDS])
    assert said.exit_code == 0
    assert "6 pairs cannot decide 3 comparisons of methods: 7 would." in said.output
