"""Tiny networks and saliency sets for the tests of pruning."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.scoring import ScoringContext

IMAGE_SHAPE = (3, 6, 6)
NUM_CLASSES = 4


class Attention(nn.Module):
    """Patches, one layer of self-attention with dropout, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 3, stride=3)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, NUM_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        logits: Tensor = self.head(self.norm(tokens + attended).mean(1))
        return logits


class Tied(nn.Module):
    """One convolution's weight used by a second one, and a frozen linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.first = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.second.weight = self.first.weight
        self.frozen = nn.Linear(6, 6)
        self.frozen.requires_grad_(False)
        self.head = nn.Linear(6, NUM_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.stem(images))
        x = torch.relu(self.second(torch.relu(self.first(x))))
        logits: Tensor = self.head(self.frozen(x.mean((2, 3))))
        return logits


class NormThenRelu(nn.BatchNorm2d):
    """A layer of one's own that calls torch's function with what it holds."""

    def forward(self, images: Tensor) -> Tensor:
        held = (self.running_mean, self.running_var, self.weight, self.bias)
        return functional.relu(functional.batch_norm(images, *held, self.training))


class PlainLinear(nn.Linear):
    """The same of a linear layer."""

    def forward(self, rows: Tensor) -> Tensor:
        return functional.linear(rows, self.weight, bias=self.bias)


class Everything(nn.Module):
    """Normalised, depthwise, grouped, tied and attention weights in one small network."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 1, groups=2),
        )
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, NUM_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.features(images).flatten(2).transpose(1, 2)
        tokens = self.second(torch.relu(self.first(tokens)))
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        logits: Tensor = self.head((tokens + attended).mean(1))
        return logits


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(108, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 4)
    )


def normalised() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(8, NUM_CLASSES),
    )


def depthwise_and_grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 1, groups=2),
        nn.GroupNorm(2, 8),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, NUM_CLASSES),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "normalised": normalised,
    "depthwise_and_grouped": depthwise_and_grouped,
    "tied": Tied,
    "attention": Attention,
    "everything": Everything,
}


def build(name: str, *, seed: int = 0) -> nn.Module:
    """The network called ``name``, initialised from ``seed``; torch's random state moves not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name]()


def context_of(
    model: nn.Module,
    *,
    mask: Mask | None = None,
    dtype: torch.dtype = torch.float32,
    fresh: str | None = None,
    seed: int = 0,
) -> ScoringContext:
    """A context with three mini-batches (8, 8 and 5 examples) that are the same each time."""
    generator = torch.Generator().manual_seed(17)
    images = torch.randn((21, *IMAGE_SHAPE), generator=generator, dtype=dtype)
    labels = torch.randint(NUM_CLASSES, (21,), generator=generator)
    if mask is None:
        mask = Mask.dense(prunable_parameters(model))
    return ScoringContext(
        model=model,
        mask=mask,
        minibatches=lambda: list(zip(images.split(8), labels.split(8), strict=True)),
        image_shape=IMAGE_SHAPE,
        num_classes=NUM_CLASSES,
        generator=torch.Generator().manual_seed(seed),
        fresh_model=None if fresh is None else lambda: NETWORKS[fresh](),
    )
