"""Numbers in sentences."""

import pytest

from study.text import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.14, "less than 1 s"),
        (12, "12 s"),
        (180, "3 min"),
        (7500, "2 h 05 min"),
        (4_444_200, "1234 h 30 min"),
    ],
)
def test_a_time_is_told_in_the_unit_that_people_would_use(seconds: float, words: str) -> None:
    assert duration(seconds) == words
