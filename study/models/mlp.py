"""A multi-layer perceptron."""

import math
from dataclasses import dataclass

from torch import nn

from study.models.architecture import ARCHITECTURES, Architecture


@ARCHITECTURES.register("mlp")
@dataclass(frozen=True)
class Mlp(Architecture):
    """Multi-layer perceptron on the flattened image, with ReLU.

    Attributes:
        hidden_sizes: Neurons of each hidden layer, first to last; none is a linear classifier.
        batch_norm: Whether batch normalisation follows each hidden linear layer.
    """

    hidden_sizes: tuple[int, ...] = (256, 128)
    batch_norm: bool = True

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.hidden_sizes):
            raise ValueError(
                f"model.hidden_sizes must all be at least 1, got {list(self.hidden_sizes)}"
            )

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        """Flatten, hidden layers, linear classifier; for images of any size."""
        layers: list[nn.Module] = [nn.Flatten()]
        num_features = math.prod(image_shape)
        for size in self.hidden_sizes:
            # A bias before batch normalisation would be subtracted again.
            layers.append(nn.Linear(num_features, size, bias=not self.batch_norm))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers.append(nn.ReLU())
            num_features = size
        layers.append(nn.Linear(num_features, num_classes))
        return nn.Sequential(*layers)
