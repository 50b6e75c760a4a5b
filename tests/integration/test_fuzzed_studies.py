"""Studies spoilt by chance: each is valid or refused in one screen, and nothing is started."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.fuzzing import (
    Desk,
    desk,
    spoilt_texts,
    spoilt_values,
    valid_studies,
    write_yaml,
)

SCREEN = 24
QUICK = settings(
    derandomize=True,
    max_examples=120,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, derandomize=False, max_examples=1500)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("desk")) as made:
        yield made


def is_refused_or_valid(place: Desk, text: str) -> bool:
    """Whether ``launch`` and ``validate --data`` refuse it, as they must: in the same words."""
    place.write(text)
    before = place.files()
    checked = place.app_study("validate", "--data", "study.yaml")
    launched = place.app_study("launch", "study.yaml")
    assert place.files() == before
    for said in (checked, launched):
        assert said.code in (0, 2)
        assert "Traceback" not in said.err + said.out
        assert all(c == "\n" or c.isprintable() for c in said.err + said.out)
        assert len(said.err.splitlines()) <= SCREEN, said.err
        assert len(said.err) <= SCREEN * 99, said.err
    if checked.code == 0:
        # What the file cannot show, the machine may refuse: a folder that cannot be.
        assert launched.started or launched.err.startswith("error: [Errno ")
        return False
    assert (launched.code, launched.err, launched.started) == (2, checked.err, False)
    assert launched.err.startswith("error: study.yaml: ")
    return True


def test_the_studies_that_are_spoilt_are_valid_and_would_start(place: Desk) -> None:
    for raw in valid_studies():
        assert not is_refused_or_valid(place, write_yaml(raw))


def test_spoilt_values_are_refused_in_one_screen_and_start_nothing(place: Desk) -> None:
    refused: set[str] = set()

    @QUICK
    @given(spoilt_values())
    def spoil(text: str) -> None:
        if is_refused_or_valid(place, text):
            refused.add(text)

    spoil()
    assert len(refused) > 80


def test_spoilt_text_is_refused_in_one_screen_and_starts_nothing(place: Desk) -> None:
    refused: set[str] = set()

    @QUICK
    @given(spoilt_texts())
    def spoil(text: str) -> None:
        if is_refused_or_valid(place, text):
            refused.add(text)

    spoil()
    assert len(refused) > 60


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_thousands_of_spoilt_studies_are_refused_or_valid(place: Desk) -> None:
    refused: set[str] = set()

    @LONG
    @given(st.one_of(spoilt_values(), spoilt_texts()))
    def spoil(text: str) -> None:
        if is_refused_or_valid(place, text):
            refused.add(text)

    spoil()
    assert len(refused) > 600
