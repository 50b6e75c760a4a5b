"""The networks of trials on torch's meta device: names, shapes and FLOPs, nothing computed."""

import functools
from dataclasses import dataclass, field

import torch
from torch import nn

from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.models.architecture import Architecture
from study.models.flops import FlopCount, layer_flops, training_flops
from study.models.shapes import ImageShape
from study.training.budget import Cost


def meta_model(trial: TrialConfig, dataset: ImageDataset) -> nn.Module:
    """The trial's network without memory or random numbers: names, shapes and counts.

    Trials of equal networks share one, since to build it takes a second; it is not to be changed.
    """
    return _on_meta(
        _Network(
            trial.model.model_dump_json(),
            dataset.image_shape,
            dataset.num_classes,
            trial.model.plugin("architecture"),
        )
    )


@dataclass(frozen=True)
class _Network:
    """What a network is built by; ``settings`` tell architectures apart."""

    settings: str
    image_shape: ImageShape
    num_classes: int
    architecture: Architecture = field(compare=False)


@functools.lru_cache(maxsize=64)
def _on_meta(network: _Network) -> nn.Module:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return network.architecture.build(network.image_shape, network.num_classes)


def example_cost(model: nn.Module, dataset: ImageDataset) -> Cost:
    """Of training ``model``, a :func:`meta_model`, on one example of the data set."""
    return Cost(samples=1, flops=training_flops(meta_flops(model, dataset.image_shape), 1))


@functools.lru_cache(maxsize=64)
def meta_flops(model: nn.Module, image_shape: ImageShape) -> FlopCount:
    """As :func:`layer_flops`, of a :func:`meta_model`, counted once."""
    return layer_flops(model, image_shape)
