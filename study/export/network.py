"""A network that goes out into the world: how it is built again, and what it takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from study.config.plugins import PluginImportError, load_builtin_plugins
from study.config.problems import shown
from study.config.section_parsing import parse_section
from study.config.trial import TrialConfig
from study.data.batches import normalisation
from study.data.dataset import ImageDataset
from study.models.architecture import ARCHITECTURES, Architecture
from study.pruning.channels.dead import remove_
from study.pruning.granularity.granularity import DEFAULT, GRANULARITIES
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters

Images = NDArray[np.uint8]
Logits = NDArray[np.float32]

TOLERANCE = 1e-5  # of the largest logit, where that is above 1


@dataclass(frozen=True)
class NetworkSpec:
    """Everything about a network but its weights, as plain values.

    Attributes:
        model: The section ``model`` of the trial.
        plugins: The user's modules that its study imported; a name here gets nothing imported.
        image_shape: Channels, height, width.
        class_names: One a logit.
        mean, std: Per channel, of images scaled to [0, 1].
        removed: Channels that the network has no more, as rows of a tensor by its name; with each
            go all that fall with it.
        granularity: What was pruned at once, which says whether masks change the shapes.
    """

    model: Mapping[str, Any]
    plugins: tuple[str, ...]
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    removed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    granularity: str = DEFAULT

    @classmethod
    def from_trial(
        cls, trial: TrialConfig, dataset: ImageDataset, plugins: tuple[str, ...]
    ) -> "NetworkSpec":
        """The network of a trial on its data."""
        return cls(
            model=trial.model.plain(),
            plugins=plugins,
            image_shape=dataset.image_shape,
            class_names=dataset.class_names,
            mean=dataset.mean,
            std=dataset.std,
            granularity=trial.pruning.granularity,
        )

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "NetworkSpec":
        """What :func:`dataclasses.asdict` made of one, be it through JSON."""
        lists = ("plugins", "image_shape", "class_names", "mean", "std")
        # Cards of before there was a choice have no granularity, and of before anything was
        # removed say nothing of it.
        return cls(
            model=raw["model"],
            removed={name: tuple(rows) for name, rows in raw.get("removed", {}).items()},
            granularity=raw.get("granularity", DEFAULT),
            **{name: tuple(raw[name]) for name in lists},
        )

    def architecture(self) -> Architecture:
        """The plug-in with its settings.

        Raises:
            ValueError: It is not installed here, or its module has not been imported.
        """
        load_builtin_plugins()
        name = self.model["architecture"]
        if name not in ARCHITECTURES and self.plugins:
            modules = list(self.plugins)
            raise PluginImportError(
                f"the architecture {shown(name)} is none of ours, and modules that a card names "
                f"are not imported unasked; its card names {shown(modules)}: if you trust what "
                f"they are here, load_model(folder, plugins={shown(modules)}), --plugins of "
                f"app-study latency, or APP_STUDY_PLUGINS where MLflow serves it imports them"
            )
        section, problems = parse_section("model", dict(self.model))
        if section is None:
            raise ValueError("; ".join(f"{p.path}: {p.message}" for p in problems))
        architecture: Architecture = section.plugin("architecture")
        return architecture

    def build(self, mask: Mask | None = None) -> nn.Module:
        """The network in the shapes that it has, with weights of no meaning.

        Args:
            mask: In the shapes that its architecture has; none for a network of whose channels
                ``removed`` says all.

        Raises:
            ValueError: Its architecture is not installed here, or has no such masks, or not the
                channels that are to be removed.
        """
        with torch.random.fork_rng(devices=[]):
            network = self.architecture().build(self.image_shape, len(self.class_names))
        network.eval()
        if self.removed:
            remove_(network, self.image_shape, self.removed)
        if mask is not None:
            # The layers that were left out of pruning are those without a mask.
            exclude = [name for name in prunable_parameters(network) if name not in mask.tensors]
            granularity = GRANULARITIES.get(self.granularity)()
            granularity.pruner(network, self.image_shape, exclude=exclude).prune_(network, mask)
        return network


class ServedNetwork(nn.Module):
    """Images as they come, ``uint8 [B, C, H, W]`` from 0 to 255 → logits ``[B, classes]``.

    The normalisation of training is part of it, to the same bits.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, spec: NetworkSpec) -> None:
        super().__init__()
        self.network = network
        scale, shift = normalisation(spec.mean, spec.std)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits: Tensor = self.network(images.to(torch.float32) * self.scale + self.shift)
        return logits


def logits_of(network: nn.Module, spec: NetworkSpec, images: Images) -> Logits:
    """Logits of a plain network, fed with normalised images, for images as they come."""
    with torch.inference_mode():
        logits: Logits = ServedNetwork(network, spec)(torch.tensor(images)).numpy()
    return logits


def allowed_difference(logits: Logits) -> float:
    """By how much the logits of the same network may differ from these, by rounding alone."""
    return TOLERANCE * max(1.0, float(np.abs(logits).max()))


def drawn_images(num_images: int, spec: NetworkSpec) -> Images:
    """Images whose values are drawn at random, always the same."""
    shape = (num_images, *spec.image_shape)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
