"""Mini-batches of normalised images, cropped and flipped, on the device: the hot path."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from study.data.augmentation import Augmentation, draw
from study.data.dataset import IndexArray, UInt8Array
from study.data.mapped import MappedImages

S = TypeVar("S")
T = TypeVar("T")


def num_minibatches(num_examples: int, batch_size: int) -> int:
    """SGD steps in one pass: ⌈n / batch size⌉, but a last mini-batch of one joins the one before.

    Batch normalisation cannot train on a single example. A single example in all stays one.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    full, left = divmod(num_examples, batch_size)
    if left == 1 and full > 0:
        return full
    return full + (left > 0)


class ImagePool:
    """Images of one split as mini-batches.

    On a CPU the arrays stay where they are, shared with other processes and perhaps read-only:
    a mini-batch is indexed with numpy (a copy) and only the copy becomes a tensor. Images that are
    mapped from a file are read by a thread, while the mini-batches before are trained on. On
    another device the uint8 images are put there once, where they take no more than half of its
    free memory; else each mini-batch is sent from pinned memory.

    Args:
        images: ``uint8 [N, C, H, W]``, never written to.
        labels: ``int64 [N]``.
        mean, std: Per channel, of images scaled to [0, 1].
        device: Where the mini-batches are wanted.
    """

    def __init__(
        self,
        images: UInt8Array,
        labels: IndexArray,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
    ) -> None:
        self._images, self._labels = images, labels
        self._resident: tuple[Tensor, Tensor] | None = None
        if device.type != "cpu" and fits_on(device, images.nbytes):
            self._resident = (
                torch.tensor(images, device=device),
                torch.tensor(labels, device=device),
            )
        self._device = device
        # x/255 normalised = x · scale + shift: two passes in place over a mini-batch.
        scale, shift = normalisation(mean, std)
        self._scale, self._shift = scale.to(device), shift.to(device)

    def __len__(self) -> int:
        return len(self._labels)

    def minibatches(
        self,
        order: IndexArray,
        *,
        batch_size: int,
        augment: Augmentation = "none",
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images ``float32 [B, C, H, W]`` and labels ``int64 [B]`` in the order given.

        Args:
            order: Indices of this pool's examples; may repeat or leave out some.
            batch_size: B; the last mini-batch is smaller, or larger by one
                (:func:`num_minibatches`).
            augment: What is drawn for each image: ``crop_and_flip`` a crop after padding with 4
                black pixels, ``random_resized_crop`` a part brought to the whole size; both
                mirrored with probability ½.
            generator: CPU generator that augmentation draws from; needed for it.

        Raises:
            ValueError: Augmentation without a generator.
        """
        crops = None
        if augment != "none":
            if generator is None:
                raise ValueError("augment needs a generator to draw crops and flips from")
            crops = draw(augment, len(order), generator)
            crops = None if crops is None else crops.to(self._device)
        # One transfer for the whole pass: a step waits for nothing.
        resident_order = None if self._resident is None else _put(order, self._device)
        num_steps = num_minibatches(len(order), batch_size)
        stops = [*range(batch_size, num_steps * batch_size, batch_size), len(order)][:num_steps]
        parts = [slice(k * batch_size, stop) for k, stop in enumerate(stops)]
        if self._resident is None or resident_order is None:
            read = self._read(order, parts)
        else:
            resident = self._resident
            read = (tuple(t[resident_order[part]] for t in resident) for part in parts)
        for chosen, (images, labels) in zip(parts, read, strict=True):
            if crops is not None:
                images = crops.apply(images, chosen)
            yield images.to(torch.float32).mul_(self._scale).add_(self._shift), labels

    def _read(self, order: IndexArray, parts: Sequence[slice]) -> Iterator[tuple[Tensor, ...]]:
        """Mini-batches out of the arrays, on the device."""

        def taken(part: slice) -> tuple[Tensor, ...]:
            images = np.asarray(self._images.take(order[part], axis=0))
            both = torch.from_numpy(images), torch.from_numpy(self._labels.take(order[part]))
            return tuple(t.pin_memory() for t in both) if self._device.type == "cuda" else both

        is_mapped = isinstance(self._images, MappedImages)
        for both in ahead(taken, parts) if is_mapped else map(taken, parts):
            yield tuple(t.to(self._device, non_blocking=True) for t in both)


def fits_on(device: torch.device, num_bytes: int) -> bool:
    """Whether images of so many bytes take no more than half of a device's free memory."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return num_bytes <= free / 2


def ahead(make: Callable[[S], T], of: Sequence[S], *, depth: int = 2) -> Iterator[T]:
    """``make`` of each, in order, by a thread that is up to ``depth`` of them ahead."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting: deque[Future[T]] = deque()
        for one in of:
            waiting.append(reader.submit(make, one))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _put(order: IndexArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(order)).to(device, non_blocking=True)


def normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Scale and shift, ``float32 [1, C, 1, 1]``: pixels from 0 to 255 · scale + shift.

    Args:
        mean: By channel, of images scaled to [0, 1].
        std: Likewise.
    """
    means = torch.tensor(mean, dtype=torch.float64)
    stds = torch.tensor(std, dtype=torch.float64)
    parts = (1 / (255 * stds), -means / stds)
    scale, shift = (part.to(torch.float32).view(1, -1, 1, 1) for part in parts)
    return scale, shift
