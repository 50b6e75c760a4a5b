"""A trial that meets later data is the trial that had it in its stream from the start."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.config.trial import TrialConfig
from study.training.anytime import AnytimeLearner
from tests.helpers.finished_study import NUM_BASE, digits_in_parts
from tests.helpers.small_trials import assert_same_trial, learner, trained, trial

OPEN_ENDED = {"pruning__schedule": "open_ended", "pruning__half_life": 200}
CASES: dict[str, dict[str, Any]] = {
    "open_ended on examples": OPEN_ENDED,
    "open_ended on plateaus": {"pruning__schedule": "open_ended", "pruning__driver": "plateau"},
    "geometric": {"pruning__schedule": "geometric", "pruning__rate": 0.3},
    "app, at its end": {"pruning__final_density": 0.3},
    "step, at its end": {"pruning__schedule": "step", "pruning__densities": [0.5, 0.4]},
    "a reservoir": OPEN_ENDED | {"stream__replay": "reservoir", "stream__capacity": 90},
    "no replay, snip on the newest": OPEN_ENDED
    | {"stream__replay": "none", "pruning__criterion": "snip", "saliency__source": "newest"},
    "as many passes": OPEN_ENDED | {"training__total_samples": 600, "training__epochs": None},
    "momentum, augmented": OPEN_ENDED
    | {
        "training__augment": "crop_and_flip",
        "training__keep": "last",
        "training__lr_milestones": [0.5],
    },
    "the first of the stream waits": OPEN_ENDED | {"training__at": [1]},
    "the last of the stream waits, as many passes": OPEN_ENDED
    | {"training__at": [0], "training__total_samples": 600, "training__epochs": None},
    "AdamW, from scratch": OPEN_ENDED
    | {"training__optimizer": "adamw", "training__lr": 0.01, "training__start": "scratch"},
    "regrowth": OPEN_ENDED | {"pruning__regrow": 0.2},
    "channels": OPEN_ENDED | {"pruning__granularity": "channel", "model__hidden_sizes": (24, 12)},
    "channels, at their end": {
        "pruning__granularity": "channel",
        "pruning__final_density": 0.4,
        "pruning__criterion": "snip",
        "training__momentum": 0.9,
    },
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return digits_in_parts(tmp_path_factory.mktemp("digits"))


def of(files: list[str], arrivals: int, overrides: dict[str, Any]) -> TrialConfig:
    shape = {"pruning__final_density": None, "stream__num_megabatches": 2} | overrides
    synthetic = ("num_examples", "num_test_examples", "image_size")
    return trial(
        **dict.fromkeys((f"data__{name}" for name in synthetic), None),
        data__dataset="arrays",
        data__path=files[0],
        data__arrivals=files[1 : 1 + arrivals],
        **shape,
    )


def updated(files: list[str], overrides: dict[str, Any]) -> AnytimeLearner:
    """Learned in four goes, each from the checkpoint of the one before."""
    made = trained(of(files, 0, overrides))
    for number in (1, 2, 3):
        before, made = made, learner(of(files, number, overrides))
        made.load_state_dict(before.state_dict())
        for _ in made.run():
            pass
    return made


@pytest.mark.parametrize("name", CASES)
def test_three_updates_are_bit_equal_to_a_stream_that_had_them_from_the_start(
    name: str, files: list[str]
) -> None:
    whole = trained(of(files, 3, CASES[name]))
    assert [m.megabatch_index for m in whole.history.megabatches] == [0, 1, 2, 3, 4]
    assert_same_trial(updated(files, CASES[name]), whole)


@pytest.mark.parametrize(
    ("name", "is_pruned_on"),
    [("open_ended on examples", True), ("geometric", True), ("app, at its end", False)],
)
def test_only_a_schedule_without_an_end_prunes_on(
    name: str, is_pruned_on: bool, files: list[str]
) -> None:
    densities = [
        m.metrics["density"] for m in trained(of(files, 3, CASES[name])).history.megabatches
    ]
    falls = [after < before for before, after in itertools.pairwise(densities[1:])]
    assert falls == [is_pruned_on] * 3


def test_what_arrives_later_changes_nothing_of_what_came_before(files: list[str]) -> None:
    short, long = trained(of(files, 0, OPEN_ENDED)), trained(of(files, 3, OPEN_ENDED))
    for before, after in zip(short.history.megabatches, long.history.megabatches, strict=False):
        for name in ("holdout_error_rate", "test_error_rate", "density", "samples_seen"):
            assert before.metrics[name] == after.metrics[name]
    assert long.data.holdout.tolist() == short.data.holdout.tolist()
    assert max(map(max, (long.data.holdout, long.data.test))) < NUM_BASE


def test_each_arrival_is_trained_and_validated_on_as_a_megabatch_of_its_own(
    files: list[str],
) -> None:
    parts = learner(of(files, 3, OPEN_ENDED)).data.megabatches
    sizes = [50, 60, 70]
    for part, size, first in zip(parts[2:], sizes, np.cumsum([NUM_BASE, *sizes]), strict=False):
        together = np.sort(np.concatenate([part.train, part.validation]))
        assert together.tolist() == list(range(first, first + size))
        assert len(part.validation) == size // 10
        assert part.train.tolist() != sorted(part.train)


def test_only_a_trial_with_fewer_arrivals_is_a_predecessor(files: list[str]) -> None:
    one, two = of(files, 1, OPEN_ENDED), of(files, 2, OPEN_ENDED)
    state = trained(two).state_dict()
    with pytest.raises(ValueError, match="the checkpoint is of trial"):
        learner(one).load_state_dict(state)
    swapped = two.with_arrivals([files[2], files[1]])
    with pytest.raises(ValueError, match="the checkpoint is of trial"):
        learner(swapped).load_state_dict(trained(one).state_dict())


def test_where_an_arrival_lies_says_nothing_of_what_a_trial_is(files: list[str]) -> None:
    here = of(files, 2, OPEN_ENDED)
    elsewhere = here.with_arrivals([f"/else/where/{Path(p).name}" for p in here.data.arrivals])
    assert here.key() == elsewhere.key()
    assert len({here.key(), *(t.key() for t in here.predecessors())}) == 3
