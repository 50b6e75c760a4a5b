"""Small trials for the tests of training: synthetic images, tiny networks, seconds at most."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from study.config.plugins import load_builtin_plugins
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.metrics import MEASURED
from study.results import TrialHistory
from study.training.anytime import AnytimeLearner
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset

load_builtin_plugins()

_DEFAULTS: dict[str, Any] = {
    "data.dataset": "synthetic",
    "data.num_examples": 120,
    "data.num_test_examples": 24,
    "data.image_size": 8,
    "stream.num_megabatches": 3,
    "model.architecture": "mlp",
    "model.hidden_sizes": (12,),
    "pruning.schedule": "app",
    "pruning.final_density": 0.3,
    "pruning.criterion": "magnitude",
    "saliency.batch_size": 16,
    "training.epochs": 2,
    "training.batch_size": 16,
    "training.lr": 0.05,
}


def trial(**overrides: Any) -> TrialConfig:
    """A trial by dotted paths written with two underscores; None leaves a default out."""
    flat = _DEFAULTS | {path.replace("__", "."): value for path, value in overrides.items()}
    return parse_trial(unflatten({p: v for p, v in flat.items() if v is not None}))


def learner(config: TrialConfig, build: Callable[[], nn.Module] | None = None) -> AnytimeLearner:
    """The learner of a trial, with a network of the test's own where one is given."""
    made = assemble(config, load_dataset(dataset_key(config.data)))
    if build is None:
        return made
    return AnytimeLearner(made.data, build, made.spec, torch.device("cpu"))


def trained(config: TrialConfig) -> AnytimeLearner:
    """The learner at the end of its stream."""
    made = learner(config)
    for _ in made.run():
        pass
    return made


def numbers(history: TrialHistory) -> list[object]:
    """All that was reported, but for the times."""
    return [
        *((e.megabatch_index, e.epoch_index, e.step, dict(e.metrics)) for e in history.epochs),
        *(
            (
                m.megabatch_index,
                m.kept_epoch_index,
                {k: v for k, v in m.metrics.items() if k not in MEASURED},
                dict(m.summary),
                m.layers,
            )
            for m in history.megabatches
        ),
    ]


def assert_same_bits(one: object, other: object) -> None:
    """Nested dicts, sequences and tensors are equal, tensors to the last bit."""
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert list(one) == list(other)
        for key in one:
            assert_same_bits(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        for a, b in zip(one, other, strict=True):
            assert_same_bits(a, b)
    else:
        assert one == other


def assert_same_trial(one: AnytimeLearner, other: AnytimeLearner) -> None:
    """Two learners have reported the same and are in the same state, times apart."""
    assert numbers(one.history) == numbers(other.history)
    states = [
        {k: v for k, v in made.state_dict().items() if k not in ("seconds", "history")}
        for made in (one, other)
    ]
    assert_same_bits(*states)
