"""The small classification data sets of torchvision, read from local files by its own classes."""

import contextlib
import gzip
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from study.data.dataset import DATASETS
from study.data.sources.torchvision_source import TorchvisionSource

_CHUNK = 2**20
_MAX_UNPACKED = 2**30  # the largest, EMNIST's by class, are 547 MB
_IDX_FILES = tuple(
    f"{split}-{content}-ubyte"
    for split in ("train", "t10k")
    for content in ("images-idx3", "labels-idx1")
)


@dataclass(frozen=True)
class IdxSource(TorchvisionSource):
    """A data set of the MNIST family: IDX files, plain or as the ``.gz`` they come in.

    Besides torchvision's own place, NAME/raw, they may lie in NAME itself, whatever its case, and
    ``data.root`` may be that folder.
    """

    def _files(self) -> tuple[str, ...]:
        return _IDX_FILES

    @contextlib.contextmanager
    def _place(self, root: Path) -> Iterator[Path]:
        found = self._found(root)
        if found is None or self.download:
            yield root
            return
        with tempfile.TemporaryDirectory(prefix="app-study-") as scratch:
            raw = Path(scratch) / self.loader / "raw"
            raw.mkdir(parents=True)
            for name in self._files():
                if (found / name).is_file():
                    (raw / name).symlink_to((found / name).resolve())
                else:
                    _unpack(found / f"{name}.gz", raw / name)
            yield Path(scratch)

    def _found(self, root: Path) -> Path | None:
        """The first folder that holds all files."""
        # Files of different members of the family have equal names: only the folder differs.
        names = (self.loader, self.loader.lower())
        folders = [root / name / sub for name in names for sub in ("raw", "")]
        if root.name.lower() == self.loader.lower():
            folders += [root / "raw", root]
        for folder in folders:
            if all(
                (folder / name).is_file() or (folder / f"{name}.gz").is_file()
                for name in self._files()
            ):
                return folder
        return None


def _unpack(packed_path: Path, path: Path) -> None:
    """Unpack a ``.gz``, but nothing larger than any of these files is."""
    with gzip.open(packed_path) as packed, path.open("wb") as out:
        while chunk := packed.read(_CHUNK):
            if out.tell() + len(chunk) > _MAX_UNPACKED:
                raise ValueError(f"{packed_path} unpacks to more than {_MAX_UNPACKED:,} bytes")
            out.write(chunk)


@DATASETS.register("mnist")
@dataclass(frozen=True)
class MNIST(IdxSource):
    """MNIST: 70,000 grey 28×28 handwritten digits."""

    loader: ClassVar[str] = "MNIST"
    folder: ClassVar[str] = "MNIST/raw"
    mean: ClassVar[tuple[float, ...]] = (0.1307,)
    std: ClassVar[tuple[float, ...]] = (0.3081,)


@DATASETS.register("fashion_mnist")
@dataclass(frozen=True)
class FashionMNIST(IdxSource):
    """FashionMNIST: 70,000 grey 28×28 pictures of clothes in 10 classes."""

    loader: ClassVar[str] = "FashionMNIST"
    folder: ClassVar[str] = "FashionMNIST/raw"
    mean: ClassVar[tuple[float, ...]] = (0.2860,)
    std: ClassVar[tuple[float, ...]] = (0.3530,)


@DATASETS.register("kmnist")
@dataclass(frozen=True)
class KMNIST(IdxSource):
    """KMNIST: 70,000 grey 28×28 cursive Japanese characters in 10 classes."""

    loader: ClassVar[str] = "KMNIST"
    folder: ClassVar[str] = "KMNIST/raw"
    mean: ClassVar[tuple[float, ...]] = (0.1918,)
    std: ClassVar[tuple[float, ...]] = (0.3483,)


@DATASETS.register("qmnist")
@dataclass(frozen=True)
class QMNIST(IdxSource):
    """QMNIST: MNIST with its full test split of 60,000."""

    loader: ClassVar[str] = "QMNIST"
    folder: ClassVar[str] = "QMNIST/raw"
    mean: ClassVar[tuple[float, ...]] = (0.1307,)
    std: ClassVar[tuple[float, ...]] = (0.3081,)

    def _files(self) -> tuple[str, ...]:
        contents = ("images-idx3-ubyte", "labels-idx2-int")
        return tuple(f"qmnist-{split}-{c}" for split in ("train", "test") for c in contents)


@DATASETS.register("emnist")
@dataclass(frozen=True)
class EMNIST(IdxSource):
    """EMNIST: grey 28×28 handwritten characters, in torchvision's (transposed) orientation.

    Attributes:
        split: ``balanced`` (47 classes), ``byclass``, ``bymerge``, ``digits`` or ``mnist``.
    """

    loader: ClassVar[str] = "EMNIST"
    folder: ClassVar[str] = "EMNIST/raw"
    mean: ClassVar[tuple[float, ...]] = (0.1751,)
    std: ClassVar[tuple[float, ...]] = (0.3332,)
    # "letters" counts its labels from 1 and is left out.
    splits: ClassVar[tuple[str, ...]] = ("balanced", "byclass", "bymerge", "digits", "mnist")

    split: str = "balanced"

    def __post_init__(self) -> None:
        if self.split not in self.splits:
            raise ValueError(f"split must be one of {', '.join(self.splits)}, got {self.split!r}")

    def _files(self) -> tuple[str, ...]:
        return tuple(
            f"emnist-{self.split}-{half}-{content}-ubyte"
            for half in ("train", "test")
            for content in ("images-idx3", "labels-idx1")
        )

    def _options(self) -> dict[str, Any]:
        return {"split": self.split}


@DATASETS.register("cifar10")
@dataclass(frozen=True)
class CIFAR10(TorchvisionSource):
    """CIFAR-10: 60,000 colour 32×32 photographs in 10 classes."""

    loader: ClassVar[str] = "CIFAR10"
    folder: ClassVar[str] = "cifar-10-batches-py"
    mean: ClassVar[tuple[float, ...]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, ...]] = (0.2470, 0.2435, 0.2616)
    crop_and_flip: ClassVar[bool] = True


@DATASETS.register("cifar100")
@dataclass(frozen=True)
class CIFAR100(TorchvisionSource):
    """CIFAR-100: 60,000 colour 32×32 photographs in 100 classes."""

    loader: ClassVar[str] = "CIFAR100"
    folder: ClassVar[str] = "cifar-100-python"
    mean: ClassVar[tuple[float, ...]] = (0.5071, 0.4865, 0.4409)
    std: ClassVar[tuple[float, ...]] = (0.2673, 0.2564, 0.2762)
    crop_and_flip: ClassVar[bool] = True


@DATASETS.register("svhn")
@dataclass(frozen=True)
class SVHN(TorchvisionSource):
    """SVHN: 99,289 colour 32×32 house numbers; digits are not mirrored, so not augmented."""

    loader: ClassVar[str] = "SVHN"
    folder: ClassVar[str] = "train_32x32.mat"
    by_split: ClassVar[bool] = True
    mean: ClassVar[tuple[float, ...]] = (0.4377, 0.4438, 0.4728)
    std: ClassVar[tuple[float, ...]] = (0.1980, 0.2010, 0.1970)


@DATASETS.register("stl10")
@dataclass(frozen=True)
class STL10(TorchvisionSource):
    """STL-10: 13,000 colour 96×96 photographs in 10 classes."""

    loader: ClassVar[str] = "STL10"
    folder: ClassVar[str] = "stl10_binary"
    by_split: ClassVar[bool] = True
    mean: ClassVar[tuple[float, ...]] = (0.4467, 0.4398, 0.4066)
    std: ClassVar[tuple[float, ...]] = (0.2603, 0.2566, 0.2713)
    crop_and_flip: ClassVar[bool] = True


@DATASETS.register("usps")
@dataclass(frozen=True)
class USPS(TorchvisionSource):
    """USPS: 9,298 grey 16×16 handwritten digits of envelopes."""

    loader: ClassVar[str] = "USPS"
    folder: ClassVar[str] = "usps.bz2"
    mean: ClassVar[tuple[float, ...]] = (0.2469,)
    std: ClassVar[tuple[float, ...]] = (0.2989,)
