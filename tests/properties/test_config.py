"""Laws of configurations: written ones read back, unknown keys never pass, samples are valid."""

import copy
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.config.domains import Choices, Range
from study.config.loading import study_from_raw
from study.config.problems import ConfigError
from study.config.sections import SECTIONS
from study.config.study_config import StudyConfig
from study.config.trial import parse_trial
from study.config.yaml_io import read_yaml, write_yaml
from study.files import NAME

SCREEN = 24
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
fractions = st.floats(0.01, 0.99)
words = st.text(string.ascii_letters + string.digits + "_-é🦆 :#'\"\n", max_size=20)


def numbers(low: float, high: float) -> st.SearchStrategy[dict[str, Any]]:
    """A range within [low, high]."""
    ends = st.lists(st.floats(low, high), min_size=2, max_size=2).map(sorted)
    return st.builds(lambda e, log: {"low": e[0], "high": e[1], "log": log}, ends, st.booleans())


def counts(low: int, high: int) -> st.SearchStrategy[dict[str, Any]]:
    """A range of whole numbers, some with a step."""

    def made(start: int, step: int, num_steps: int) -> dict[str, Any]:
        return {"low": start, "high": start + step * num_steps, "step": step}

    # Three steps at most, each a third of what is left.
    steps = st.integers(1, (high - low) // 6)
    return st.builds(made, st.integers(low, (low + high) // 2), steps, st.integers(0, 3))


def choices(*values: Any) -> st.SearchStrategy[list[Any]]:
    # Copies: a test that spoils a study in place must not spoil what the next one draws.
    return st.lists(st.sampled_from(values), min_size=1, unique_by=repr).map(copy.deepcopy)


SEARCHED: dict[str, st.SearchStrategy[Any]] = {
    "pruning.schedule": choices("dense", "one_shot", "app", "geometric", "linear", "cubic"),
    "pruning.criterion": choices("snip", "magnitude", "random"),
    "training.lr": numbers(1e-4, 1.0),
    "training.keep": choices("best", "last"),
    "training.lr_milestones": choices([], [0.5], [0.4, 0.8]),
    "training.augment": choices("crop_and_flip", "random_resized_crop", "none", None),
    "stream.num_megabatches": st.one_of(counts(1, 12), choices(1, 2, 4, 8)),
    "saliency.fraction": numbers(0.1, 1.0),
    "seed": choices(0, 1, 2),
}
FIXED: dict[str, st.SearchStrategy[Any]] = {
    "training.momentum": fractions,
    "training.weight_decay": st.floats(0, 1),
    "training.batch_size": st.integers(2, 512),
    "pruning.exclude": st.lists(words, max_size=3),
    "data.root": words,
    "data.holdout_fraction": fractions,
    "stream.replay": st.sampled_from(["full", "none"]),
    "model.architecture": st.sampled_from(["mlp", "convnet", "resnet20"]),
    "data.seed": st.integers(0, 2**63 - 1),
}


@st.composite
def raw_studies(draw: st.DrawFn) -> dict[str, Any]:
    """A valid study as a user may write it."""
    space = draw(st.fixed_dictionaries({}, optional=SEARCHED))
    fixed = draw(st.fixed_dictionaries({}, optional=FIXED))
    fixed["training.total_samples"] = draw(st.integers(2, 10**6))
    schedules = space.get("pruning.schedule", ["app"])
    if set(schedules) - {"dense", "geometric"}:
        if draw(st.booleans()):
            space["pruning.final_density"] = draw(numbers(0.01, 1.0))
        else:
            fixed["pruning.tau"] = draw(st.floats(0.1, 20))
    if "geometric" in schedules and draw(st.booleans()):
        space["pruning.rate"] = draw(numbers(0.05, 0.9))
    if "training.keep" in space and "training.lr" in space and draw(st.booleans()):
        space["training.lr"]["when"] = {"training.keep": space["training.keep"][0]}
    raw: dict[str, Any] = {
        "name": draw(st.from_regex(NAME, fullmatch=True)),
        "description": draw(words),
        "fixed": fixed,
    }
    if space:
        raw["search"] = {"space": space, "seed": draw(st.integers(0, 9))}
        raw["objective"] = {"metrics": draw(choices("service_error", "final_density"))}
        raw["budget"] = {"trials": draw(st.integers(1, 100))}
    else:
        raw["axes"] = {"seed": draw(st.lists(st.integers(0, 99), min_size=1, unique=True))}
    return raw


def sample(study: StudyConfig, draw: st.DrawFn) -> dict[str, Any]:
    """Values from the space as a sampler draws them."""
    chosen: dict[str, Any] = {}
    for dimension in study.space.dimensions:
        if dimension.is_active({**study.fixed, **chosen}):
            chosen[dimension.path] = draw(values_in(dimension.domain))
    return chosen


def values_in(domain: Range | Choices) -> st.SearchStrategy[Any]:
    if isinstance(domain, Choices):
        return st.sampled_from(domain.values)
    if domain.is_integer:
        step = int(domain.step or 1)
        steps = st.integers(0, int(domain.high - domain.low) // step)
        return steps.map(lambda n: int(domain.low) + n * step)
    return st.floats(domain.low, domain.high)


@QUICK
@given(raw_studies())
def test_a_study_that_is_written_and_read_is_the_same(raw: dict[str, Any]) -> None:
    study = study_from_raw(raw)
    again = study_from_raw(read_yaml(write_yaml(study.to_dict())))
    assert again == study
    assert again.fingerprint() == study.fingerprint()
    assert study_from_raw(read_yaml(write_yaml(raw))) == study


@QUICK
@given(st.data(), raw_studies())
def test_every_sample_of_a_space_is_a_valid_trial(
    data: st.DataObject, raw: dict[str, Any]
) -> None:
    study = study_from_raw(raw)
    chosen = sample(study, data.draw)
    trial = study.compose(chosen)
    assert parse_trial(trial.to_dict()) == trial
    flat = trial.flat()
    assert {path: flat[path] for path in chosen} == chosen


@QUICK
@given(raw_studies())
def test_both_ends_of_every_range_and_every_choice_are_tried(raw: dict[str, Any]) -> None:
    study = study_from_raw(raw)
    corners = list(study.space.ends(study.fixed))
    for dimension in study.space.dimensions:
        tried = {repr(c[dimension.path]) for c in corners if dimension.path in c}
        assert {repr(value) for value in dimension.domain.ends()} <= tried


def test_an_end_is_tried_where_it_exists_under_other_choices_than_the_first() -> None:
    study = study_from_raw(
        {
            "name": "many",
            "fixed": {"data.dataset": "digits", "training.epochs": 1},
            "search": {
                "space": {
                    "pruning.schedule": ["dense", "app"],  # nothing is scored under the first
                    "pruning.criterion": ["magnitude", "snip"],  # nor under the first of these
                    "training.augment": ["none", "crop_and_flip", "random_resized_crop"],
                    "training.keep": ["best", "last"],
                    "training.lr": {"low": 0.1, "high": 0.2},
                    "training.momentum": {"low": 0.1, "high": 0.2},
                    "training.weight_decay": {"low": 0.1, "high": 0.2},
                    "seed": [0, 1, 2, 3, 4],
                    "pruning.final_density": {"low": 0.1, "high": 0.2},
                    "saliency.fraction": {"low": 0.25, "high": 0.5},
                }
            },
            "objective": {"metrics": ["service_error"]},
            "budget": {"trials": 1},
        }
    )
    corners = [c for c in study.space.ends(study.fixed) if "saliency.fraction" in c]
    assert {c["saliency.fraction"] for c in corners} == {0.25, 0.5}


OUTSIDE = {
    "training.lr": (0.0, -1.0, float("inf")),
    "pruning.final_density": (0.0, 1.1),
    "saliency.fraction": (0.0, 1.5),
    "stream.num_megabatches": (0, -1),
}


@QUICK
@given(st.data(), st.sampled_from(sorted(OUTSIDE)), st.sampled_from(["low", "high"]))
def test_a_range_with_an_invalid_end_is_refused(data: st.DataObject, path: str, end: str) -> None:
    bad = data.draw(st.sampled_from(OUTSIDE[path]))
    ends = {"low": min(bad, 1), "high": max(bad, 1), end: bad}
    raw = {
        "name": "a",
        "fixed": {"training.total_samples": 9, "pruning.tau": 1.0},
        "search": {"space": {path: ends}},
        "objective": {"metrics": ["service_error"]},
        "budget": {"trials": 1},
    }
    if path == "pruning.final_density":
        del raw["fixed"]["pruning.tau"]  # type: ignore[attr-defined]  # a mapping
    with pytest.raises(ConfigError) as refused:
        study_from_raw(raw)
    assert all(p.path.startswith(f"search.space.{path}") for p in refused.value.problems)


def mappings(value: Any) -> list[dict[str, Any]]:
    """Every mapping within a value."""
    if isinstance(value, dict):
        return [value, *(inner for part in value.values() for inner in mappings(part))]
    if isinstance(value, list):
        return [inner for part in value for inner in mappings(part)]
    return []


@QUICK
@given(st.data(), raw_studies(), st.from_regex(r"z[a-z_]{1,12}", fullmatch=True))
def test_a_stray_key_at_any_depth_is_refused_by_its_name(
    data: st.DataObject, raw: dict[str, Any], key: str
) -> None:
    place = data.draw(st.sampled_from(range(len(mappings(raw)))))
    mappings(raw)[place][key] = 1
    with pytest.raises(ConfigError, match=key):
        study_from_raw(raw)


@QUICK
@given(st.sampled_from(sorted(SECTIONS)), st.from_regex(r"z[a-z_]{1,12}", fullmatch=True))
def test_a_stray_key_in_any_section_of_a_trial_is_refused(section: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_trial({"pruning": {"tau": 1.0}, "training": {"epochs": 1}, section: {key: 1}})
    assert f"{section}.{key}" in [p.path for p in refused.value.problems]


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), words,
        st.sampled_from(["snip", "app", "service_error", "pruning.rate", 10**400]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(words, st.sampled_from(["low", "high", "when", "choices", "training.lr"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container within a value with each of its keys."""
    keys = list(value) if isinstance(value, dict) else []
    keys = list(range(len(value))) if isinstance(value, list) else keys
    return [(value, key) for key in keys] + [p for key in keys for p in places(value[key])]


def accepted(raw: Any) -> StudyConfig | None:
    """The study in plain values or YAML; None where it is refused, on one screen."""
    try:
        return study_from_raw(read_yaml(raw) if isinstance(raw, str) else raw)
    except ConfigError as error:
        refused = error
    assert refused.problems
    assert len(str(refused).splitlines()) <= SCREEN
    return None


@settings(QUICK, max_examples=150)
@given(st.data(), raw_studies(), anything)
def test_a_study_with_anything_anywhere_is_accepted_or_refused_in_words(
    data: st.DataObject, raw: dict[str, Any], wrong: Any
) -> None:
    container, key = data.draw(st.sampled_from(places(raw)))
    container[key] = wrong
    study = accepted(raw)
    if study is not None:
        assert accepted(read_yaml(write_yaml(study.to_dict()))) == study


@settings(QUICK, max_examples=100)
@given(st.data(), raw_studies())
def test_a_file_that_is_cut_or_garbled_is_accepted_or_refused_in_words(
    data: st.DataObject, raw: dict[str, Any]
) -> None:
    text = write_yaml(raw)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    text = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    accepted(text)
