"""The adapter to torchvision: its classes read local files, we take the arrays."""

import contextlib
import pickle
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from study.data.dataset import (
    DataError,
    DatasetSource,
    ImageDataset,
    IndexArray,
    UInt8Array,
)

# What torchvision's readers raise on missing, cut or foreign files.
_READ_ERRORS = (
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AssertionError,
    pickle.UnpicklingError,
    zlib.error,
)
_DIGITS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class TorchvisionSource(DatasetSource):
    """One data set of torchvision, read from local files.

    Attributes:
        download: Fetch what is not there yet.

    Class attributes of a member: ``loader``, its class in torchvision; ``folder``, where that
    class looks, relative to ``data.root``; constants of normalisation as they are published.
    """

    loader: ClassVar[str]
    folder: ClassVar[str]
    by_split: ClassVar[bool] = False  # chooses with split="test" instead of train=False
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]
    crop_and_flip: ClassVar[bool] = False

    download: bool = False

    def load(self, root: Path | None) -> ImageDataset:
        """Read training and test split."""
        if root is None:
            raise DataError(
                f"data.root is not set, and {self.loader} is read from files: set data.root or "
                f"APP_STUDY_DATA to the folder that holds {self.folder}"
            )
        try:
            with self._place(root) as place:
                train = self._read(place, train=True)
                test = self._read(place, train=False)
                train_images, test_images = _images(train.data), _images(test.data)
        except _READ_ERRORS as error:
            raise DataError(self._complaint(root, error)) from error
        names = tuple(str(name) for name in getattr(train, "classes", _DIGITS))
        return ImageDataset(
            train_images=train_images,
            train_labels=_labels(train),
            test_images=test_images,
            test_labels=_labels(test),
            class_names=names,
            mean=self.mean,
            std=self.std,
            crop_and_flip=self.crop_and_flip,
        )

    def _place(self, root: Path) -> contextlib.AbstractContextManager[Path]:
        """The folder to give to torchvision."""
        return contextlib.nullcontext(root)

    def _read(self, place: Path, *, train: bool) -> Any:
        from torchvision import datasets  # takes a second

        loader = getattr(datasets, self.loader)
        if self.by_split:
            chosen: dict[str, Any] = {"split": "train" if train else "test"}
        else:
            chosen = {"train": train}
        return loader(place, download=self.download, **chosen, **self._options())

    def _options(self) -> dict[str, Any]:
        return {}

    def _complaint(self, root: Path, error: BaseException) -> str:
        if self.download:
            return f"{self.loader} could not be downloaded to {root} or read from there: {error}"
        why = "no such folder" if not (root / self.folder).exists() else str(error).split(".")[0]
        return (
            f"{self.loader} was not found, or is damaged: expected in {root / self.folder} "
            f"({why}); set data.root or APP_STUDY_DATA to the folder that holds "
            f"{self.folder}, or set data.download: true"
        )


def _images(data: Any) -> UInt8Array:
    """``[N, C, H, W]`` from what torchvision keeps: grey without channels, CIFAR channels last."""
    images = np.asarray(data)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] != 3:
        images = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images, dtype=np.uint8)


def _labels(split: Any) -> IndexArray:
    labels = np.asarray(split.labels if hasattr(split, "labels") else split.targets)
    # QMNIST keeps eight facts about each digit; the first is what it is.
    return (labels if labels.ndim == 1 else labels[:, 0]).astype(np.int64)
