"""Who is out of reach of the best, and who is not."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from study.config.problems import ConfigError
from study.config.rules.search import stopping_name
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.metrics import projected_service_error, service_error
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.search.bound import BoundStopping, least_service_error
from study.search.early_stopping import make_stopping
from study.store.record import RecordedTrial, Source
from tests.helpers.small_studies import SPACE, search

CHANCE = 0.9
RATES = st.floats(0.0, 0.9)


def study_with(
    metrics: Sequence[str] = ("service_error",),
    constraints: Sequence[str] = (),
    **stopping: Any,
) -> StudyConfig:
    raw = search().to_dict()
    raw["search"] = {"space": SPACE, "stopping": {"name": "bound", "min_trials": 2, **stopping}}
    raw["objective"] = {"metrics": list(metrics), "constraints": list(constraints)}
    return parse_study(raw)


class Trials:
    """Trials of which the error rates are given."""

    def __init__(self, study: StudyConfig, recorded: Sequence[RecordedTrial] = ()) -> None:
        self.study = study
        self.stopping = make_stopping(study, recorded)
        self.recorded = list(recorded)

    def run(
        self,
        errors: Sequence[float],
        *,
        T: int = 4,  # noqa: N803  # the paper's
        arrivals: Sequence[str] = (),
        density: float = 0.5,
        source: Source = "search",
        schedule: str = "app",
    ) -> list[bool]:
        """Report these error rates; after which of them the trial was to stop."""
        chosen: dict[str, Any] = {"pruning.schedule": schedule, "stream.num_megabatches": T}
        if schedule != "dense":
            chosen["pruning.final_density"] = density
        config = self.study.compose(chosen).with_arrivals(arrivals).to_dict()
        total = T + len(arrivals)
        trial = RecordedTrial(str(len(self.recorded)), len(self.recorded), source, chosen, config)
        self.recorded.append(trial)
        verdicts = []
        for number in range(1, len(errors) + 1):
            megabatch = self._megabatch(errors[:number], total, density)
            trial.history = TrialHistory((), (*trial.history.megabatches, megabatch))
            verdicts.append(self.stopping.stops(trial, [megabatch]))
        trial.outcome = Outcome.COMPLETE if len(errors) == total else Outcome.EARLY_STOPPED
        return verdicts

    def _megabatch(self, errors: Sequence[float], T: int, density: float) -> MegabatchRecord:  # noqa: N803
        projected = projected_service_error(
            errors,
            num_megabatches=T,
            chance=CHANCE,
            service_after=self.study.objective.service_after,
        )
        return MegabatchRecord(
            megabatch_index=len(errors) - 1,
            stream_fraction=len(errors) / T,
            kept_epoch_index=0,
            metrics={
                "holdout_error_rate": errors[-1],
                "projected_service_error": projected,
                "density": density,
                "samples_seen": 100.0 * len(errors),
            },
            summary={"service_error": projected} if len(errors) == T else {},
        )


GOOD = (0.3, 0.2, 0.1, 0.1)


def filled(**options: Any) -> Trials:
    trials = Trials(study_with(**options))
    for _ in range(2):
        assert trials.run(GOOD) == [False] * 4
    return trials


@given(
    known=st.lists(RATES, min_size=1, max_size=6),
    later=st.lists(RATES, min_size=1, max_size=6),
    service_after=st.floats(0.0, 3.0),
)
def test_no_trial_ends_below_what_is_said_to_be_its_least(
    known: list[float], later: list[float], service_after: float
) -> None:
    total = len(known) + len(later)
    lowest = min(*known, *later)
    terms: dict[str, Any] = {"chance": CHANCE, "service_after": service_after}
    least = least_service_error(
        projected_service_error(known, num_megabatches=total, **terms),
        known[-1],
        lowest,
        num_models=len(known),
        num_megabatches=total,
        service_after=service_after,
    )
    assert service_error([*known, *later], **terms) >= least - 1e-12
    at_best = [*known, *[lowest] * len(later)]
    assert service_error(at_best, **terms) == pytest.approx(least, abs=1e-12)


def test_a_trial_is_stopped_where_even_the_lowest_error_comes_too_late() -> None:
    trials = filled()
    # Behind by 0.6 / 4 / 2 after the first model; what it makes up later is nothing.
    assert trials.run((0.9,)) == [True]
    assert trials.run((0.31, 0.21, 0.11, 0.11)) == [False] * 4  # within the margin of 0.01


def test_trials_of_any_length_are_compared() -> None:
    trials = filled()
    # Half of the stream was served by guessing: no model makes up for that.
    assert trials.run((0.1,), T=2) == [True]
    assert trials.run((0.3, *[0.1] * 7), T=8) == [False] * 8


@given(late=st.lists(st.floats(0.1, 0.9), min_size=5, max_size=5), num_arrivals=st.integers(1, 4))
@example(late=[0.7, 0.1, 0.1, 0.1, 0.1], num_arrivals=4)
def test_with_arrivals_none_is_stopped_that_would_end_as_well_as_the_best(
    late: list[float], num_arrivals: int
) -> None:
    trials = Trials(study_with())
    arrivals = [f"{number}.npz" for number in range(num_arrivals)]
    for errors in ((0.4, 0.4, 0.4, 0.4, 0.1), (0.4, 0.3, 0.3, 0.2, 0.1)):
        trials.run(errors, T=5 - num_arrivals, arrivals=arrivals)
    verdicts = trials.run(late, T=5 - num_arrivals, arrivals=arrivals)
    *others, mine = (trial.history.megabatches[-1].summary for trial in trials.recorded)
    best = min(other["service_error"] for other in others)
    assert mine["service_error"] > best or not any(verdicts)


def test_a_slow_start_that_can_be_made_up_for_is_not_held_against_a_trial() -> None:
    trials = filled()
    assert not any(trials.run((0.3, 0.24, 0.05, 0.05)))
    # One that has shown 0.05 grants it to all: now the same start is within reach again.
    assert not any(trials.run((0.34, 0.22)))


def test_nobody_is_stopped_before_enough_have_come_to_their_end() -> None:
    trials = Trials(study_with(min_trials=3))
    for _ in range(2):
        trials.run(GOOD)
    assert trials.run((0.9,)) == [False]
    trials.run(GOOD)
    assert trials.run((0.9,)) == [True]


def test_points_neither_are_stopped_nor_stop_others() -> None:
    trials = Trials(study_with())
    for _ in range(3):
        trials.run((0.01, 0.01, 0.01, 0.01), source="point")
    assert trials.run((0.9,)) == [False]
    trials.run(GOOD)
    trials.run(GOOD)
    assert trials.run((0.9, 0.9, 0.9, 0.9), source="point") == [False] * 4


def test_dense_trials_do_not_stop_pruned_ones() -> None:
    trials = Trials(study_with())
    for _ in range(3):
        trials.run((0.01,) * 4, schedule="dense", density=1.0)
    assert trials.run((0.9,)) == [False]


def test_what_breaks_a_constraint_stops_nobody() -> None:
    trials = Trials(study_with(constraints=["samples_seen <= 350"]))
    for _ in range(3):
        assert trials.run((0.01,) * 4) == [False] * 4
    assert trials.run((0.9,)) == [False]


def test_what_is_known_to_break_a_constraint_is_stopped_at_once() -> None:
    trials = Trials(study_with(constraints=["samples_seen <= 150"]))
    assert trials.run((0.1, 0.1)) == [False, True]


def test_with_a_density_among_the_objectives_only_sparser_trials_are_out_of_reach() -> None:
    trials = Trials(study_with(metrics=("service_error", "final_density")))
    for _ in range(2):
        trials.run(GOOD, density=0.2)
    assert trials.run((0.9,), density=0.1) == [False]
    assert trials.run((0.9,), density=0.3) == [True]


def test_a_density_that_is_only_asked_for_puts_nobody_out_of_reach() -> None:
    study = study_with(metrics=("service_error", "final_density"))
    fixed = {**study.to_dict()["fixed"], "pruning.granularity": "channel"}
    trials = Trials(parse_study({**study.to_dict(), "fixed": fixed}))
    for _ in range(2):
        trials.run(GOOD, density=0.2)
    assert trials.run((0.9,), density=0.3) == [False]


def test_a_resumed_study_decides_as_one_that_was_never_cut() -> None:
    trials = filled()
    trials.run((0.9,))
    resumed = Trials(trials.study, trials.recorded)
    assert isinstance(resumed.stopping, BoundStopping)
    assert resumed.run((0.9,)) == [True]
    assert not any(resumed.run(GOOD))


def test_a_report_that_comes_twice_counts_once() -> None:
    trials = filled()
    trials.run((0.9,))
    newest = trials.recorded[-1]
    assert not trials.stopping.stops(newest, newest.history.megabatches)


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        (("service_error",), "bound"),
        (("final_error",), "asha"),
        (("service_error", "final_density"), "none"),
    ],
)
def test_auto_is_bound_where_a_part_of_the_error_is_spent(
    metrics: tuple[str, ...], name: str
) -> None:
    study = study_with(metrics=metrics) if name == "bound" else study_with()
    raw: Mapping[str, Any] = study.to_dict() | {"objective": {"metrics": list(metrics)}}
    raw["search"]["stopping"] = {"name": "auto"}
    study = parse_study(raw)
    assert study.search is not None
    assert stopping_name(study.search, study.objective) == name


def test_bound_is_refused_for_an_error_of_which_nothing_is_spent() -> None:
    with pytest.raises(ConfigError, match=r"bound needs service_error .* use asha"):
        study_with(metrics=("final_error",))
