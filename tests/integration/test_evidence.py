"""What verdicts claim of studies drawn from the recorded table is false in at most 5 %."""

import numpy as np
import pytest

from benchmarks.evidence import TABLE, found
from benchmarks.evidence_designs import DESIGNS, Design, simulate, simulate_past_margin
from benchmarks.evidence_methods import DESIGNS as METHOD_DESIGNS
from benchmarks.evidence_methods import method_studies
from benchmarks.evidence_studies import EvidenceTable, read_table, spread_points

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STUDIES = 150
JUDGED_BY_FRESH_SEEDS, UNTIL_DECIDED = DESIGNS[3], DESIGNS[-1]


@pytest.fixture(scope="module")
def table() -> EvidenceTable:
    return read_table(TABLE)


@pytest.mark.parametrize("design", [JUDGED_BY_FRESH_SEEDS, UNTIL_DECIDED], ids=lambda d: d.name)
@pytest.mark.parametrize("size", [144, 360])
def test_few_studies_claim_what_is_false(table: EvidenceTable, design: Design, size: int) -> None:
    outcomes = simulate(table, design, spread_points, size=size, num_studies=STUDIES)
    assert np.mean([outcome.is_false for outcome in outcomes]) <= 0.05


@pytest.mark.parametrize("design", [JUDGED_BY_FRESH_SEEDS, UNTIL_DECIDED], ids=lambda d: d.name)
def test_few_do_on_a_table_that_nothing_was_tuned_on(design: Design) -> None:
    digits = read_table(TABLE.with_name("evidence_digits.parquet"))
    outcomes = simulate(digits, design, spread_points, size=360, num_studies=STUDIES)
    assert np.mean([outcome.is_false for outcome in outcomes]) <= 0.05


@pytest.mark.parametrize("design", [JUDGED_BY_FRESH_SEEDS, UNTIL_DECIDED], ids=lambda d: d.name)
def test_few_do_where_every_candidate_lies_at_the_margin(
    table: EvidenceTable, design: Design
) -> None:
    outcomes = simulate_past_margin(table, design, spread_points, size=360, num_studies=STUDIES)
    assert np.mean([outcome.is_false for outcome in outcomes]) <= 0.08


def test_the_old_rule_was_nearly_always_false(table: EvidenceTable) -> None:
    outcomes = simulate(table, DESIGNS[0], spread_points, size=360, num_studies=50)
    assert np.mean([outcome.is_false for outcome in outcomes]) > 0.9


def test_until_decided_finds_more_than_eight_seeds(table: EvidenceTable) -> None:
    power = [
        np.mean(found(simulate(table, d, spread_points, size=360, num_studies=STUDIES), 1 / 3))
        for d in (JUDGED_BY_FRESH_SEEDS, UNTIL_DECIDED)
    ]
    assert power[1] > power[0] > 0.1


@pytest.mark.parametrize("design", METHOD_DESIGNS)
def test_few_studies_say_anything_false_of_methods(
    table: EvidenceTable, design: tuple[int, int]
) -> None:
    made = method_studies(table, size=360, design=design, num_studies=STUDIES)
    for flags in (
        [study.says_false for study in made],
        [study.says_false_of_none for study in made],
        [study.says_false_at_margin for study in made],
    ):
        assert np.mean(flags) <= 0.05
    assert np.mean([study.decided for study in made]) > 0.3
