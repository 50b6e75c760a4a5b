"""Results that several reports share, and garbage that is not looked for meanwhile."""

import gc
import weakref

import pytest

from analysis.runs.cache import cached, gc_paused
from tests.helpers.fake_study import runs_of, usual


def test_the_same_question_about_the_same_runs_is_answered_once() -> None:
    asked = []

    @cached
    def number_of(runs, outcome, *, twice=False):
        asked.append((runs, outcome, twice))
        return len(runs.trials) * (1 + twice)

    runs, others = runs_of(usual()), runs_of(usual()[:3])
    assert number_of(runs, "complete") == number_of(runs, "complete") == len(runs.trials)
    assert number_of(others, "complete") == 3
    assert number_of(runs, "error") == len(runs.trials)
    assert number_of(runs, "complete", twice=True) == 2 * len(runs.trials)
    assert asked == [
        (runs, "complete", False),
        (others, "complete", False),
        (runs, "error", False),
        (runs, "complete", True),
    ]


def test_what_was_remembered_goes_with_the_runs() -> None:
    class Answer:
        pass

    @cached
    def answer_to(runs):
        del runs
        return Answer()

    runs = runs_of(usual()[:1])
    answer = weakref.ref(answer_to(runs))
    gc.collect()
    assert answer() is not None
    del runs
    gc.collect()
    assert answer() is None


def test_garbage_is_looked_for_again_also_after_an_error() -> None:
    assert gc.isenabled()
    seen = []

    @gc_paused()
    def wrong() -> None:
        seen.append(gc.isenabled())
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        wrong()
    assert seen == [False]
    assert gc.isenabled()


def test_whoever_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
