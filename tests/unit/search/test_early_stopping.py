"""Who is stopped, and whom nobody may be compared with."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.trial import parse_trial
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.search.early_stopping import NeverStopping, Stopping, make_stopping
from study.store.record import RecordedTrial, Source
from tests.helpers.small_studies import SPACE, search

APP = {"pruning.schedule": "app", "pruning.final_density": 0.5, "stream.num_megabatches": 4}


def study_with(stopping: Mapping[str, Any], **objective: Any) -> StudyConfig:
    raw = search().to_dict()
    raw["search"] = {"space": SPACE, "stopping": dict(stopping)}
    raw["objective"] = {"metrics": ["service_error"], **objective}
    return parse_study(raw)


class Trials:
    """Reports for made-up trials."""

    def __init__(self, study: StudyConfig) -> None:
        self.study = study
        self.stopping: Stopping = make_stopping(study)
        self.recorded: list[RecordedTrial] = []

    def new(
        self, source: Source = "search", *, arrivals: Sequence[str] = (), **changes: Any
    ) -> RecordedTrial:
        paths = {
            "T": "stream.num_megabatches",
            "density": "pruning.final_density",
        }
        chosen = APP | {paths[name]: value for name, value in changes.items()}
        config = self.study.compose(chosen).with_arrivals(arrivals).to_dict()
        number = len(self.recorded)
        self.recorded.append(RecordedTrial(str(number), number, source, chosen, config))
        return self.recorded[-1]

    def report(self, trial: RecordedTrial, error: float, *, samples: float = 1.0) -> bool:
        """Another megabatch with this error; whether the trial is to stop."""
        known = trial.history.megabatches
        total = parse_trial(trial.config).num_megabatches
        record = MegabatchRecord(
            megabatch_index=len(known),
            stream_fraction=(len(known) + 1) / total,
            kept_epoch_index=0,
            metrics={"projected_service_error": error, "samples_seen": samples},
            summary={"service_error": error} if len(known) + 1 == total else {},
        )
        trial.history = TrialHistory((), (*known, record))
        return self.stopping.stops(trial, [record])

    def field(self, count: int = 6, **changes: Any) -> None:
        """Good trials that have come to the end of their second megabatch."""
        for _ in range(count):
            trial = self.new(**changes)
            for error in (0.25, 0.2):
                self.report(trial, error)


EARLY = {"first_rung": 0.125, "reduction": 2.0}


@pytest.fixture(params=["asha", "median"])
def trials(request: pytest.FixtureRequest) -> Trials:
    return Trials(study_with({"name": request.param, **EARLY}))


def test_a_trial_behind_those_of_its_length_is_stopped_at_a_rung(trials: Trials) -> None:
    trials.field()
    assert trials.report(trials.new(), 0.9)
    assert not trials.report(trials.new(), 0.1)


def test_trials_of_another_length_are_never_compared(trials: Trials) -> None:
    trials.field()
    assert not trials.report(trials.new(T=2), 0.9)


def test_trials_that_more_arrives_for_are_compared_with_their_like(trials: Trials) -> None:
    later = [f"{number}.npz" for number in range(4)]

    def stops(**changes: Any) -> bool:
        trial = trials.new(arrivals=later, **changes)
        return any([trials.report(trial, 0.9) for _ in range(4)])

    trials.field()
    trials.field(T=8)
    assert not stops()
    trials.field(arrivals=later)
    assert stops()


def test_nobody_is_stopped_before_enough_have_come_as_far(trials: Trials) -> None:
    for _ in range(4):
        assert not trials.report(trials.new(), 0.2)
        assert not trials.report(trials.new(T=2), 0.9)
    assert trials.report(trials.new(), 0.9)


def test_points_are_never_stopped_but_the_others_are_compared_with_them(trials: Trials) -> None:
    for _ in range(5):
        trials.report(trials.new(source="point"), 0.2)
    point = trials.new(source="point")
    assert not trials.report(point, 0.9)
    assert not trials.report(point, 0.9)
    assert trials.report(trials.new(), 0.9)


def test_the_last_megabatch_stops_nobody(trials: Trials) -> None:
    for _ in range(6):
        trial = trials.new(T=2)
        trials.report(trial, 0.2)
        trials.report(trial, 0.2)
    late = trials.new(T=2)
    trials.report(late, 0.15)
    assert not trials.report(late, 0.9)


def test_a_report_that_comes_twice_counts_once(trials: Trials) -> None:
    trials.field(4)
    trial = trials.new()
    assert trials.report(trial, 0.9)
    assert not trials.stopping.stops(trial, trial.history.megabatches)


def test_between_two_rungs_asha_decides_nothing() -> None:
    trials = Trials(study_with({"name": "asha", "first_rung": 0.5}))
    trials.field(6)
    assert not trials.report(trials.new(), 0.9)


def test_a_resumed_study_decides_as_one_that_was_never_cut(trials: Trials) -> None:
    trials.field()
    trials.recorded[0].outcome = Outcome.EARLY_STOPPED
    for error, stops in ((0.9, True), (0.1, False)):
        resumed = Trials(trials.study)
        resumed.stopping = make_stopping(trials.study, trials.recorded)
        resumed.recorded = [*trials.recorded]
        assert resumed.report(resumed.new(), error) is stops


def test_what_is_known_to_break_a_constraint_is_stopped_at_once_and_compared_with_no_other() -> (
    None
):
    trials = Trials(study_with({"name": "asha"}, constraints=["final_density <= 0.2"]))
    for _ in range(6):
        assert trials.report(trials.new(density=0.9), 0.01)
    assert not trials.report(trials.new(density=0.15), 0.9)


def test_trials_are_compared_on_their_side_of_a_limit_also_where_density_is_not_met_exactly() -> (
    None
):
    raw = study_with({"name": "asha"}, constraints=["final_density <= 0.2"]).to_dict()
    raw["fixed"] |= {"pruning.granularity": "channel"}
    trials = Trials(parse_study(raw))
    for _ in range(6):
        trials.report(trials.new(density=0.9), 0.01)
    assert not trials.report(trials.new(density=0.15), 0.9)


def test_compute_above_its_limit_stops_as_soon_as_it_is_there() -> None:
    trials = Trials(study_with({"name": "median"}, constraints=["samples_seen <= 100"]))
    trial = trials.new()
    assert not trials.report(trial, 0.2, samples=90)
    assert trials.report(trial, 0.2, samples=120)


def test_with_several_objectives_nothing_stops_unless_asked_and_then_within_a_band() -> None:
    both = ["service_error", "final_density"]
    assert isinstance(make_stopping(study_with({}, metrics=both)), NeverStopping)
    assert isinstance(make_stopping(study_with({"name": "none"})), NeverStopping)
    trials = Trials(study_with({"name": "asha", **EARLY}, metrics=both))
    trials.field(density=0.9)
    assert not trials.report(trials.new(density=0.12), 0.9)
    assert trials.report(trials.new(density=0.6), 0.9)


def test_a_single_error_is_searched_with_asha_by_default_and_a_size_is_not() -> None:
    assert not isinstance(make_stopping(study_with({})), NeverStopping)
    assert isinstance(make_stopping(study_with({}, metrics=["final_density"])), NeverStopping)
