"""The thing to beat: training as research code usually has it.

Images become PIL images, are augmented one by one in a DataLoader's workers, masks are stacked
pruning hooks that multiply weights in every forward pass, and loss and accuracy are read back
after each step.
"""

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from study.data.dataset import IndexArray, UInt8Array

Loader = DataLoader[tuple[torch.Tensor, int]]

NUM_EVENTS = 2  # masks that have been stacked so far


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Arrays of images as PIL images with the usual transforms."""

    def __init__(self, images: UInt8Array, labels: IndexArray, *, augment: bool) -> None:
        self._images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        self._labels = labels
        random = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        self._transform = transforms.Compose(
            [
                *(random if augment else []),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), int(self._labels[index])


def loader(images: UInt8Array, labels: IndexArray, *, batch_size: int, augment: bool) -> Loader:
    """Mini-batches from two worker processes that stay alive."""
    return DataLoader(
        PilImages(images, labels, augment=augment),
        batch_size=batch_size,
        shuffle=augment,
        num_workers=2,
        persistent_workers=True,
    )


def hook_masks(model: nn.Module, density: float) -> None:
    """Prune every convolution and linear layer at random, by hooks upon hooks."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            for _ in range(NUM_EVENTS):
                amount = 1 - density ** (1 / NUM_EVENTS)
                prune.random_unstructured(module, "weight", amount)  # type: ignore[no-untyped-call]  # torch's


def train_epoch(model: nn.Module, optimiser: torch.optim.SGD, data: Loader) -> float:
    """One pass; its mean loss."""
    model.train()
    losses, correct, seen = 0.0, 0, 0
    for images, labels in data:
        optimiser.zero_grad()
        logits = model(images)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimiser.step()
        losses += loss.item() * len(labels)
        correct += int((logits.argmax(1) == labels).sum().item())
        seen += len(labels)
    return losses / seen


def count_errors(model: nn.Module, data: Loader) -> int:
    """Misclassified images."""
    model.eval()
    wrong = 0
    with torch.no_grad():
        for images, labels in data:
            wrong += int((model(images).argmax(1) != labels).sum().item())
    return wrong
