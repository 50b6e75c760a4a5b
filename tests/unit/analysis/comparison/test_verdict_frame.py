"""The verdicts as a frame say what the sentences say."""

from dataclasses import replace

import pytest

from analysis.comparison.confirmed_verdicts import sequences
from analysis.comparison.fresh_seeds import confirmation
from analysis.comparison.verdict_frame import COLUMNS, verdict_frame
from tests.helpers.fake_study import runs_of, usual
from tests.unit.analysis.comparison.test_confirmed_verdicts import with_examples


def test_a_row_a_configuration_with_its_verdict_and_bounds() -> None:
    runs = with_examples({})
    (tested,) = sequences(runs, confirmation(runs))
    frame = verdict_frame(runs)
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["trial"]) == [one.arm.number for one in tested.judged]
    assert list(frame["verdict"]) == [one.judgement.verdict for one in tested.judged]
    assert frame["is_smallest_as_good"].sum() == 1
    assert frame["density"].is_monotonic_decreasing
    assert (frame["service_error_difference"] < frame["service_error_upper"]).all()
    assert set(frame["margin"]) == {0.01}


def test_the_searched_study_has_those_of_what_confirms_it() -> None:
    confirming = with_examples({})
    searched = replace(runs_of(usual()), load_confirmation=lambda: confirming)
    assert verdict_frame(searched).equals(verdict_frame(confirming))


@pytest.mark.parametrize("runs", [runs_of(usual()), with_examples({}, seeds=(1,))])
def test_where_nothing_was_judged_there_are_columns_without_rows(runs: object) -> None:
    frame = verdict_frame(runs)  # type: ignore[arg-type]
    assert tuple(frame.columns) == COLUMNS
    assert frame.empty
