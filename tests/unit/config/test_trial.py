"""One trial's configuration."""

from typing import Any

import pytest

from study.config.plugins import load_builtin_plugins
from study.config.problems import ConfigError
from study.config.trial import flatten, parse_trial, unflatten

load_builtin_plugins()

RAW: dict[str, Any] = {"pruning": {"final_density": 0.5}, "training": {"epochs": 1}}


def problems_of(raw: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        parse_trial(raw)
    return [(p.path, p.message) for p in refused.value.problems]


def with_values(**changes: Any) -> dict[str, Any]:
    flat = {**flatten(RAW), **{key.replace("__", "."): v for key, v in changes.items()}}
    return unflatten({path: value for path, value in flat.items() if value is not None})


def test_what_is_left_out_has_its_default_and_a_whole_trial_reads_back() -> None:
    trial = parse_trial(RAW)
    assert trial.training.lr == 0.1
    assert parse_trial(trial.to_dict()) == trial


def test_where_the_data_lie_is_no_part_of_what_a_trial_is() -> None:
    here = parse_trial(with_values(data__dataset="mnist", data__root="here"))
    there = parse_trial(with_values(data__dataset="mnist", data__root="there"))
    assert here.key() == there.key()
    assert here.fingerprint() != there.fingerprint()


@pytest.mark.parametrize(("path", "value"), [("seed", 1), ("training.lr", 0.2), ("data.seed", 1)])
def test_anything_else_is(path: str, value: object) -> None:
    changed = parse_trial(with_values(**{path.replace(".", "__"): value}))
    assert changed.key() != parse_trial(RAW).key()


def test_all_mistakes_are_told_at_once() -> None:
    raw = {
        "modle": {},
        "seed": -1,
        "data": 3,
        "stream": {"num_megabatches": 0, "replay": "ful"},
        "pruning": {"final_density": 2, "tau": "x"},
        "training": {"epochs": 1.5, "lrr": 1},
    }
    assert {path for path, _ in problems_of(raw)} == {
        "modle", "seed", "data", "stream.num_megabatches", "stream.replay",
        "pruning.final_density", "pruning.tau", "training.epochs", "training.lrr",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("training.lr", float("nan"), "finite"),
        ("training.lr", float("inf"), "finite"),
        ("training.lr", True, "must be a number, got True"),
        ("training.lr", 0, "must be above 0, got 0"),
        ("training.epochs", 2.0, "must be a whole number, got 2.0; write 2"),
        ("training.epochs", True, "must be a whole number"),
        ("training.nesterov", 1, "must be true or false"),
        ("training.keep", "first", "must be 'best' or 'last'"),
        ("training.lr_milestones", 0.4, "must be a list, got 0.4; write [0.4]"),
        ("training.lr_milestones", [0.8, 0.4], "must rise"),
        ("training.lr_milestones", [0.4, 0.4], "must rise"),
        ("pruning.exclude", "fc", "must be a list, got 'fc'; write [fc]"),
        ("pruning.rate", 0.2, "belongs to the pruning schedule geometric alone"),
        ("pruning.lr", 0.2, "did you mean 'training.lr'?"),
        ("pruning.criterion", "snpi", "did you mean 'snip'?"),
        ("seed", 2**63, "from 0 to 9223372036854775807"),
        ("seed", 1.0, "must be a whole number"),
        ("data.seed", 2**63, "at most"),
    ],
)
def test_a_wrong_value_is_refused_in_words(path: str, value: object, says: str) -> None:
    found = problems_of(with_values(**{path.replace(".", "__"): value}))
    assert len(found) == 1
    assert says in found[0][1]


def test_nesterov_needs_momentum() -> None:
    raw = with_values(training__nesterov=True, training__momentum=0.0)
    assert problems_of(raw) == [
        ("training.nesterov", "needs momentum; set training.momentum above 0")
    ]


def test_a_misspelt_plug_in_does_not_make_its_settings_wrong() -> None:
    raw = with_values(pruning__schedule="geometrc", pruning__rate=0.2, pruning__final_density=None)
    assert [path for path, _ in problems_of(raw)] == ["pruning.schedule"]


def test_listed_densities_are_one_for_each_megabatch() -> None:
    raw = with_values(
        pruning__schedule="step", pruning__final_density=None,
        pruning__densities=[0.5, 0.2], stream__num_megabatches=3,
    )  # fmt: skip
    assert [path for path, _ in problems_of(raw)] == ["pruning.densities"]
