import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.example_errors import ExampleErrors


def of(wrong: list[bool]) -> ExampleErrors:
    return ExampleErrors(len(wrong), np.packbits(np.array(wrong, dtype=bool)).tobytes())


@given(st.lists(st.booleans(), max_size=300))
def test_what_is_written_is_read_back_and_counted(wrong: list[bool]) -> None:
    errors = of(wrong)
    assert ExampleErrors.from_text(errors.to_text()) == errors
    assert errors.num_wrong == sum(wrong)


def test_ten_thousand_outcomes_at_five_percent_fit_into_a_kilobyte_and_a_half() -> None:
    wrong = np.random.default_rng(0).random(10_000) < 0.05
    assert len(of(list(wrong)).to_text()) < 1500


@pytest.mark.parametrize("text", ["", "3:", "x:eJw=", "9:eJxjAAAAAQAB", "3:AAAA"])
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ExampleErrors.from_text(text)
