"""The architecture plug-in point."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from study.registry import Registry


@dataclass(frozen=True)
class Architecture(ABC):
    """Plug-in: a network for image classification. Fields are its settings under ``model.``."""

    # Its builder in torchvision, for one that is torchvision's.
    torchvision_name: ClassVar[str | None] = None

    @abstractmethod
    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        """A freshly initialised network from images ``[B, C, H, W]`` to logits ``[B, classes]``.

        Draws its weights from torch's global generator, which the caller has seeded.

        Args:
            image_shape: Channels, height and width.
            num_classes: Number of logits.

        Raises:
            ValueError: The images are too small or too large for it.
        """


ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture", later="study.models.torchvision_networks.networks"
)
