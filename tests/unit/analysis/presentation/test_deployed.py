"""What pruning brings, in words."""

import pandas as pd
import pytest

from analysis.presentation.deployed import best_network, brings
from analysis.wording import share_words

DENSE = pd.DataFrame({"file_bytes": [1000.0]})


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.5, "half"),
        (0.24, "a quarter"),
        (0.104, "a tenth"),
        (0.37, "0.37 times"),
        (1.0, "1 times"),
    ],
)
def test_a_share_is_told_as_people_tell_it(ratio: float, words: str) -> None:
    assert share_words(ratio) == words


def test_one_network_has_its_own_interval_and_several_seeds_have_theirs() -> None:
    one = pd.DataFrame({"speedup": [2.1], "speedup_low": [1.9], "speedup_high": [2.3]})
    assert brings(one, DENSE) == "run 2.1 times as fast [1.9, 2.3]"
    two = pd.DataFrame({"speedup": [2.0, 2.2], "file_bytes": [360.0, 380.0]})
    assert brings(two, DENSE) == "run 2.1 times as fast [1.1, 3.8], in a file 0.37 times as large"


def test_no_speed_is_negative_however_little_two_seeds_know() -> None:
    two = pd.DataFrame({"speedup": [0.9, 1.1]})
    assert brings(two, DENSE) == "run 1.0 times as fast [0.3, 3.6]"


def test_what_hardly_changes_speed_or_file_is_not_rounded_to_nothing() -> None:
    one = pd.DataFrame(
        {
            "speedup": [1.04], "speedup_low": [1.02], "speedup_high": [1.07],
            "file_bytes": [1002.0],
        }
    )  # fmt: skip
    assert brings(one, DENSE) == "run 1.04 times as fast [1.02, 1.07], in a file just as large"


def test_of_a_file_whose_network_was_not_timed_the_words_have_a_verb() -> None:
    one = pd.DataFrame({"file_bytes": [500.0]})
    assert brings(one, DENSE) == "lie in a file half as large"


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert brings(pd.DataFrame({"speedup": [float("nan")]}), DENSE) == ""


@pytest.mark.parametrize(
    ("sought", "name"),
    [
        ("final_density", "smallest network"),
        ("speedup", "fastest network"),
        ("latency_ms", "fastest network"),
        ("file_bytes", "network with the smallest file"),
    ],
)
def test_the_best_is_called_after_what_is_sought(sought: str, name: str) -> None:
    assert best_network(sought) == name
