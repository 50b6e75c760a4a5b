"""Values given in Python are the overrides that the command line has."""

from pathlib import Path

import pytest

from study.config.overrides import apply_overrides
from study.config.problems import ConfigError
from study.workflow.addresses import as_overrides

VALUES = {
    "training.lr": 0.05,
    "training.epochs": None,
    "model.architecture": "1e5",  # text, which YAML would take for a number
    "model.hidden_sizes": [3, 4],
    "data.root": Path("/data/my images"),
    "seed": 3,
}


def test_each_value_arrives_as_it_was() -> None:
    made = apply_overrides({"name": "s"}, as_overrides(VALUES))
    fixed = {k: list(v) if isinstance(v, tuple) else v for k, v in made["fixed"].items()}
    assert fixed == {**VALUES, "data.root": "/data/my images"}


def test_what_yaml_has_not_got_is_refused_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"data\.root: must be a plain value"):
        as_overrides({"data.root": object()})
