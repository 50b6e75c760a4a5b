"""The user's own images as numpy arrays in an ``.npz`` file."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from study.data.dataset import DATASETS, DataError, DatasetSource, ImageDataset
from study.data.sources.memory import check_fits

_CHANNELS = (1, 2, 3, 4)
_NAMES = ("images", "labels", "test_images", "test_labels")
# What numpy and zipfile raise on archives that are damaged, encrypted, packed by a method that is
# not known here, or that hold pickled objects.
_READ_ERRORS = (
    OSError, ValueError, EOFError, RuntimeError, MemoryError, OverflowError, KeyError, TypeError,
    SyntaxError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@DATASETS.register("arrays")
@dataclass(frozen=True)
class Arrays(DatasetSource):
    """An ``.npz`` with ``images`` and ``labels``, and perhaps ``test_images``, ``test_labels``.

    Images are uint8 ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]`` with 1 to 4 channels;
    labels are integers 0 … C − 1, each of which occurs.

    Attributes:
        path: The file or folder with the data, absolute or relative to ``data.root``.
    """

    needs_root: ClassVar[bool] = False

    path: str = "images.npz"

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path must name an .npz file, got an empty text")

    def load(self, root: Path | None) -> ImageDataset:
        """Read and check the arrays."""
        path = self._located(root)
        arrays = read_arrays(path)
        if ("test_images" in arrays) != ("test_labels" in arrays):
            raise DataError(f"{path}: give both test_images and test_labels, or neither")
        has_test = "test_images" in arrays
        train_images = channels_first(arrays["images"], f"{path}: images")
        train_labels = checked_labels(arrays, "", path)
        num_classes = _num_classes(train_labels, path)
        test_images, test_labels = None, None
        if has_test:
            test_images = channels_first(arrays["test_images"], f"{path}: test_images")
            test_labels = checked_labels(arrays, "test_", path)
            _check_test(train_images, test_images, test_labels, num_classes, path)
        return ImageDataset(
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=tuple(str(label) for label in range(num_classes)),
            mean=(0.5,) * train_images.shape[1],
            std=(0.25,) * train_images.shape[1],
            crop_and_flip=False,
        )

    def _located(self, root: Path | None) -> Path:
        if root is None and not Path(self.path).is_absolute():
            raise DataError(
                f"data.path {self.path!r} is relative, but no data.root is given; set data.root "
                "(or APP_STUDY_DATA), or give an absolute path"
            )
        path = Path(self.path) if root is None else root / self.path
        if not path.is_file():
            raise DataError(f"no file {path}; set data.path to an .npz file with your images")
        return path


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that are ours, ``images`` and ``labels`` among them.

    Raises:
        DataError: The file is no archive of plain arrays, too large, or lacks them.
    """
    reason: object = "it is no zip archive"
    if zipfile.is_zipfile(path):
        try:
            _check_size(path)
            # Pickled objects could run code: only plain arrays are read.
            with np.load(path, allow_pickle=False) as archive:
                _check_names(archive.files, path)
                return {name: archive[name] for name in archive.files if name in _NAMES}
        except DataError:
            raise
        except _READ_ERRORS as error:
            reason = error or type(error).__name__
    raise DataError(
        f"{path}: not a readable .npz of plain arrays ({reason}); write it with "
        "numpy.savez(path, images=…, labels=…)"
    )


def _check_names(found: Sequence[str], path: Path) -> None:
    for name in ("images", "labels"):
        if name not in found:
            raise DataError(
                f"{path}: there is no array {name!r} (found: {', '.join(sorted(found))}); "
                "write it with numpy.savez(path, images=…, labels=…)"
            )


def _check_size(path: Path) -> None:
    """Refuse an archive that is small on disk and fills the memory once it is unpacked."""
    with zipfile.ZipFile(path) as archive:
        members = [i for i in archive.infolist() if i.filename.removesuffix(".npy") in _NAMES]
    check_fits(sum(member.file_size for member in members), f"{path}: the unpacked arrays")


def channels_first(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Images as ``uint8 [N, C, H, W]``.

    Raises:
        DataError: They are nothing of the kind, or there is none.
    """
    if images.dtype != np.uint8:
        raise DataError(
            f"{what} must be uint8 from 0 to 255, got {images.dtype}; scale and convert with "
            ".astype(numpy.uint8)"
        )
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4:
        first, last = images.shape[1] in _CHANNELS, images.shape[3] in _CHANNELS
        if first == last:
            raise DataError(
                f"{what} has shape {images.shape}: which axis holds the channels is unclear; "
                "either axis 1 or the last must be 1 to 4 long, and not both"
            )
        images = images if first else images.transpose(0, 3, 1, 2)
    else:
        raise DataError(
            f"{what} must be [N, H, W], [N, H, W, C] or [N, C, H, W], got shape {images.shape}"
        )
    if 0 in images.shape:
        raise DataError(f"{what} is empty: shape {images.shape}")
    return np.ascontiguousarray(images)


def checked_labels(arrays: dict[str, NDArray[Any]], prefix: str, path: Path) -> NDArray[np.int64]:
    """The labels called ``PREFIXlabels``, one for each of ``PREFIXimages``.

    Raises:
        DataError: They are no whole numbers from 0, or not one an image.
    """
    labels, num_images = arrays[f"{prefix}labels"], len(arrays[f"{prefix}images"])
    what = f"{path}: {prefix}labels"
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{what} must be integers 0 … C − 1, got {labels.dtype}")
    if labels.shape != (num_images,):
        raise DataError(
            f"{what} must be one a image, shape ({num_images},), got shape {labels.shape}"
        )
    if labels.min() < 0:
        raise DataError(f"{what} must start at 0, got {labels.min()}")
    if labels.max() > np.iinfo(np.int64).max:
        raise DataError(f"{what} must be integers 0 … C − 1, got {labels.max()}")
    return labels.astype(np.int64)


def _num_classes(labels: NDArray[np.int64], path: Path) -> int:
    present = np.unique(labels)
    num_classes = len(present)
    if int(present[-1]) != num_classes - 1:
        missing = int(np.flatnonzero(present != np.arange(num_classes))[0])
        raise DataError(
            f"{path}: labels must be 0 … C − 1 without gaps, but {missing} does not occur and "
            f"{present[-1]} does; renumber them with numpy.unique(labels, return_inverse=True)"
        )
    if num_classes < 2:
        raise DataError(f"{path}: there is one class only; classification needs two or more")
    return num_classes


def _check_test(
    train_images: NDArray[np.uint8],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int64],
    num_classes: int,
    path: Path,
) -> None:
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{path}: test images are {test_images.shape[1:]} and training images "
            f"{train_images.shape[1:]} (channels, height, width); make them alike"
        )
    if test_labels.max() >= num_classes:
        raise DataError(
            f"{path}: test_labels has class {test_labels.max()}, but training has only "
            f"0 … {num_classes - 1}"
        )
