"""A confirmation until it is decided: which seeds each look adds, and that it can be resumed."""

from pathlib import Path

import pytest

from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.operations.confirm import begun, confirming_study
from study.operations.confirm_choice import ConfirmOptions, seeds_of_confirmations
from study.operations.confirm_looks import reopen, with_next_look
from study.operations.opened_study import OpenedStudy
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record
from tests.helpers.searched import searched

LOOKS = (2, 4, 8)
OPTIONS = ConfirmOptions(num_seeds=LOOKS[0], baselines=("dense",), looks=LOOKS)
NETWORKS = {
    (2, 1.0): (0.10, 0.05),
    (2, 0.5): (0.095, 0.05),
    (2, 0.3): (0.10, 0.05),
    (2, 0.2): (0.105, 0.055),
}


def first_look(opened: OpenedStudy | None = None) -> StudyConfig:
    return confirming_study(opened or searched(NETWORKS), OPTIONS, "c")


def further(study: StudyConfig, open_trials: set[int], **others: object) -> StudyConfig | None:
    used = others.get("used", [])
    assert isinstance(used, list)
    return with_next_look(study, open_trials, searched=searched(NETWORKS).record, used=used)


def seeds(study: StudyConfig) -> dict[int | None, list[int]]:
    """Number of a trial, None for dense → its seeds."""
    assert study.confirms is not None
    arms = zip(study.confirms.arms, study.axes, strict=True)
    return {arm.trial: list(group["seed"]) for arm, group in arms}


def test_the_first_look_has_as_many_seeds_as_it_takes_for_all() -> None:
    assert seeds(first_look()) == {3: [1, 2], 2: [1, 2], 1: [1, 2], None: [1, 2]}


def test_a_look_adds_seeds_for_what_is_open_and_for_dense_alone() -> None:
    second = further(first_look(), {1, 3})
    assert second is not None
    assert seeds(second) == {3: [1, 2, 3, 4], 2: [1, 2], 1: [1, 2, 3, 4], None: [1, 2, 3, 4]}
    third = further(second, {3})
    assert third is not None
    assert seeds(third)[3] == seeds(third)[None] == list(range(1, 9))
    assert seeds(third)[1] == [1, 2, 3, 4]
    assert {t.key() for t in second.corners()} < {t.key() for t in third.corners()}


def test_it_ends_where_nothing_is_open_or_no_look_is_left() -> None:
    study: StudyConfig | None = first_look()
    assert study is not None
    assert further(study, set()) is None
    for _ in LOOKS[1:]:
        assert study is not None
        study = further(study, {3})
    assert study is not None
    assert further(study, {3}) is None


def test_a_seed_that_another_confirmation_took_meanwhile_is_left_to_it() -> None:
    second = further(first_look(), {3}, used=[{"seed": 3}, {"seed": 5}])
    assert second is not None
    assert seeds(second)[3] == [1, 2, 4, 6]


def test_the_same_command_goes_on_at_the_look_at_which_it_was_killed(tmp_path: Path) -> None:
    study, folder = first_look(), StudyFolder(tmp_path / "c")
    folder.write_config(study)
    with Record.open(folder.record_path) as record:
        record.finish()
    second = further(study, {3})
    assert second is not None
    reopen(second, folder)
    assert not Record.read(folder.record_path).is_finished
    assert begun(first_look(), folder) == second
    # Killed before the new seeds were written down, it takes the same look again.
    folder.write_config(study)
    assert begun(first_look(), folder) == study
    assert further(study, {3}) == second


def test_other_looks_trials_or_a_fixed_number_are_another_confirmation(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "c")
    second = further(first_look(), {3})
    assert second is not None
    folder.write_config(second)
    folder.record_path.write_bytes(b"")
    others = (
        ConfirmOptions(num_seeds=2, baselines=("dense",)),
        ConfirmOptions(num_seeds=2, baselines=("dense",), looks=(2, 16)),
        ConfirmOptions(top=1, num_seeds=2, baselines=("dense",), looks=LOOKS),
    )
    for options in others:
        with pytest.raises(StudyError, match="with other settings"):
            begun(confirming_study(searched(NETWORKS), options, "c"), folder)


def test_all_its_seeds_are_known_to_a_later_confirmation(tmp_path: Path) -> None:
    store = StudyStore(tmp_path)
    second = further(first_look(), {3})
    assert second is not None
    store.folder("c").write_config(second)
    store.folder("c").record_path.touch()
    used = seeds_of_confirmations(store, "small", excluding="d", notice=print)
    later = confirming_study(searched(NETWORKS), OPTIONS, "d", used=used)
    assert seeds(later)[3] == [5, 6]


def test_looks_are_kept_in_the_file_of_the_study_and_rise() -> None:
    raw = first_look().to_dict()
    again = parse_study(raw)
    assert again.confirms is not None
    assert again.confirms.looks == LOOKS
    raw["confirms"] = {**raw["confirms"], "looks": [4, 2]}
    with pytest.raises(ConfigError, match=r"confirms.looks: must rise from at least 2"):
        parse_study(raw)
