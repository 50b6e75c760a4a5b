"""A champion gives way to a model that is no worse on the same holdout, and to no other."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from study.export.card import ModelCard
from study.export.network import NetworkSpec
from study.export.registration import is_same_model, refusal, version_tags

CONFIG: dict[str, Any] = {"data": {"dataset": "digits", "seed": 0}, "seed": 0}
CARD = ModelCard(
    format="onnx",
    network=NetworkSpec({}, (), (1, 8, 8), ("0", "1"), (0.5,), (0.25,)),
    study="s",
    trial_key="abc",
    trial_number=3,
    title="",
    megabatch_index=4,
    config=CONFIG,
    metrics={"holdout_error_rate": 0.1},
    split_sizes={"holdout": 100},
    layers=(),
)


def card(error: float | None, **changes: Any) -> ModelCard:
    metrics: Mapping[str, float] = {} if error is None else {"holdout_error_rate": error}
    return dataclasses.replace(CARD, metrics=metrics, **changes)


@pytest.mark.parametrize("error", [0.1, 0.05, 0.0])
def test_a_model_that_is_no_worse_may_replace_it(error: float) -> None:
    assert refusal(card(error), version_tags(CARD)) == ""


def test_a_worse_one_may_not_and_both_numbers_are_said() -> None:
    said = refusal(card(0.125), version_tags(CARD))
    assert "0.125" in said
    assert "0.1" in said


def test_what_was_measured_on_other_images_says_nothing() -> None:
    others = ({"data": {**CONFIG["data"], "seed": 1}}, {"data": {"dataset": "mnist", "seed": 0}})
    for other in others:
        assert "different holdouts" in refusal(card(0.0, config=other), version_tags(CARD))
    assert "different" in refusal(card(0.0, split_sizes={"holdout": 99}), version_tags(CARD))


def test_later_data_and_where_it_lies_make_no_other_holdout() -> None:
    later = {"data": {**CONFIG["data"], "root": "/here", "arrivals": ("a.npz",)}}
    assert refusal(card(0.1, config=later), version_tags(CARD)) == ""


def test_a_model_without_an_error_rate_replaces_none_and_is_replaced_by_none() -> None:
    assert "the new model has no error rate" in refusal(card(None), version_tags(CARD))
    assert "the one in use has no error rate" in refusal(CARD, version_tags(card(None)))
    assert refusal(CARD, {})


def test_only_the_same_megabatch_of_the_same_trial_in_the_same_format_is_the_same_model() -> None:
    tags = version_tags(CARD)
    assert is_same_model(CARD, tags)
    for change in ({"megabatch_index": 5}, {"trial_key": "x"}, {"format": "state_dict"}):
        assert not is_same_model(card(0.1, **change), tags)
    assert not is_same_model(CARD, {})
