"""What a study searched is read as data, and where it is not there, from what was tried."""

import dataclasses

from analysis.reports.importance.domains import domains
from analysis.statistics.importance import Domain
from study.config.domains import parse_dimension
from study.tracking import names
from study.trial.study_description import domain_json
from tests.helpers.fake_study import FakeTrial, runs_of
from tests.helpers.recorded_studies import recorded

DENSITY, LENGTH = "pruning.final_density", "stream.num_megabatches"
LOG = {"low": 0.01, "high": 1.0, "log": True}


def _domains(space: dict[str, object]) -> dict[str, Domain]:
    trials = [FakeTrial(i, t=2 ** (1 + i % 3), density=0.5 - i / 100) for i in range(12)]
    runs = runs_of(trials)
    params = {
        names.PARAM_SPACE + path: domain_json(parse_dimension(path, raw).domain)
        for path, raw in space.items()
    }
    study = dataclasses.replace(runs.study, params=params)
    return domains(dataclasses.replace(runs, study=study), runs.trials)


def test_a_searched_path_has_the_domain_that_the_study_gave_it() -> None:
    assert _domains({DENSITY: LOG, LENGTH: [2, 4, 8]}) == {
        DENSITY: Domain(is_choice=False, is_log=True),
        LENGTH: Domain(is_choice=True),
    }
    assert _domains({DENSITY: {"low": 0.01, "high": 1.0}, LENGTH: {"low": 2, "high": 8}}) == {
        DENSITY: Domain(is_choice=False),
        LENGTH: Domain(is_choice=False),
    }


def test_what_the_study_did_not_search_is_left_out_though_it_varies() -> None:
    assert list(_domains({LENGTH: [2, 4, 8]})) == [LENGTH]


def test_without_a_search_the_values_that_were_tried_stand_for_the_domain() -> None:
    assert _domains({}) == {
        DENSITY: Domain(is_choice=False),
        LENGTH: Domain(is_choice=True),
    }


def test_a_study_whose_domains_are_recorded_as_text_is_judged_by_what_was_tried() -> None:
    runs = recorded("digits-search")
    assert domains(runs, runs.complete) == {
        "pruning.schedule": Domain(is_choice=True),
        DENSITY: Domain(is_choice=False, is_log=True),
        LENGTH: Domain(is_choice=True),
    }
