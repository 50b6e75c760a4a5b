"""What is said of samplers and of stopping, on recorded tables in which every end is known."""

import dataclasses
from typing import Any

import pandas as pd
import pytest

from analysis.reports.search.progress import compare_groups
from analysis.reports.search.proposals import moment_of, parted, proposals
from analysis.runs.frames import KEY
from analysis.runs.study_runs import Runs, StudyFacts
from benchmarks.search import BOUND, TABLES, table_of
from benchmarks.stopping import HALVING, LENIENT, MOST_STOPPED, survival
from study.comparisons import SIGNIFICANCE
from study.config.plugins import load_builtin_plugins
from study.search.samplers import NUM_STARTUP
from study.simulation.simulator import replay, searched_anew
from study.simulation.table import Table

load_builtin_plugins()

NUM_TRIALS = 40


def replayed(table: Table, stopping: dict[str, Any], *, seed: int) -> Runs:
    """A search by a random sampler as if another one had drawn its first trials at random."""
    study = searched_anew(table.study, {"sampler": "random", "stopping": stopping}, seed=seed)
    ended = [e.trial for e in replay(table, study, max_trials=NUM_TRIALS)]
    section = study.search.stopping if study.search else None
    assert section is not None
    trials = pd.DataFrame(
        {
            KEY: [trial.key for trial in ended],
            "number": range(len(ended)),
            "outcome": [trial.outcome for trial in ended],
            "service_error": [(trial.values(("service_error",)) or (None,))[0] for trial in ended],
            "proposed_by": [
                "random" if n < NUM_STARTUP["tpe"] else "tpe" for n in range(len(ended))
            ],
        }
    )
    megabatches = pd.DataFrame(
        [
            {KEY: trial.key, "stream_fraction": m.stream_fraction, **m.metrics}
            for trial in ended
            for m in trial.history.megabatches
        ]
    )
    facts = StudyFacts("replayed", params={"search.stopping.first_rung": f"{section.first_rung}"})
    return Runs(dataclasses.replace(facts, objectives=("service_error",)), trials, megabatches)


def num_called_better(name: str, stopping: dict[str, Any], *, num_replays: int) -> int:
    table, better = table_of(name), 0
    for seed in range(num_replays):
        runs = replayed(table, stopping, seed=seed)
        proposed = proposals(runs, "service_error", moment_of((runs,)))
        found = compare_groups(*parted(proposed), "service_error")
        assert found is not None
        assert found.num_a + found.num_b == NUM_TRIALS
        better += found.p < SIGNIFICANCE and found.better > 0.5
    return better


def test_a_random_sampler_is_hardly_ever_called_better_than_its_first_proposals() -> None:
    assert num_called_better("digits", HALVING, num_replays=25) <= 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["digits", "cifar10"])
@pytest.mark.parametrize("stopping", [HALVING, LENIENT])
def test_a_random_sampler_is_called_better_in_at_most_a_twentieth_of_200_replays(
    name: str, stopping: dict[str, Any]
) -> None:
    assert num_called_better(name, stopping, num_replays=200) <= 10


def test_the_default_stopping_spares_the_best_and_saves_more_than_tune_s_rule() -> None:
    table = table_of("digits")
    bound, lenient = (
        survival(table, {"sampler": "random", "stopping": way}, seeds=range(8), num_trials=60)
        for way in (BOUND, LENIENT)
    )
    assert all(bound.share(schedule) <= MOST_STOPPED for schedule in bound.best)
    assert 0.1 < lenient.saved < bound.saved


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_of_the_best_at_most_a_tenth_is_stopped_whatever_prunes_it(
    name: str, sampler: str
) -> None:
    changes = {"sampler": sampler, "stopping": BOUND}
    found = survival(table_of(name), changes, seeds=range(25), num_trials=60)
    assert all(found.share(schedule) <= MOST_STOPPED for schedule in found.best)
    assert found.num_winners_stopped == 0
