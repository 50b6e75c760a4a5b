"""The handwritten digits that ship with scikit-learn: real data without any file."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from study.data.dataset import DATASETS, DataError, DatasetSource, ImageDataset

_FILE: Final = "datasets/data/digits.csv.gz"  # lines of 64 inks, 0 to 16, and the digit
_SIDE: Final = 8
_MAX_INK: Final = 16


@DATASETS.register("digits")
@dataclass(frozen=True)
class Digits(DatasetSource):
    """1,797 grey 8×8 handwritten digits (UCI optical recognition); no test split of its own."""

    needs_root: ClassVar[bool] = False

    def load(self, root: Path | None) -> ImageDataset:  # noqa: ARG002 - ships with scikit-learn
        """Ink from 0 to 16 becomes 0 to 255.

        Raises:
            DataError: scikit-learn does not ship the digits where it did.
        """
        table = np.loadtxt(_shipped_file(), delimiter=",")
        inks = table[:, :-1].reshape(-1, 1, _SIDE, _SIDE)
        return ImageDataset(
            train_images=np.rint(inks * (255 / _MAX_INK)).astype(np.uint8),
            train_labels=table[:, -1].astype(np.int64),
            test_images=None,
            test_labels=None,
            class_names=tuple(str(digit) for digit in range(10)),
            mean=(0.5,),
            std=(0.25,),
            crop_and_flip=False,
        )


def _shipped_file() -> Path:
    """Found without importing scikit-learn, which takes longer than to read all digits."""
    package = importlib.util.find_spec("sklearn")
    path = Path(package.origin).parent / _FILE if package and package.origin else None
    if path is None or not path.is_file():
        raise DataError(
            f"the digits are read from scikit-learn, which has no {_FILE} here; install "
            "scikit-learn 1.6 or newer anew"
        )
    return path
