"""The handwritten digits that ship with scikit-learn: real data without any file."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from study.data.dataset import DATASETS, DatasetSource, ImageDataset

_MAX_INK = 16


@DATASETS.register("digits")
@dataclass(frozen=True)
class Digits(DatasetSource):
    """1,797 grey 8×8 handwritten digits (UCI optical recognition); no test split of its own."""

    needs_root: ClassVar[bool] = False

    def load(self, root: Path | None) -> ImageDataset:  # noqa: ARG002 - ships with scikit-learn
        """Ink from 0 to 16 becomes 0 to 255."""
        from sklearn.datasets import load_digits  # heavy, and needed here alone

        digits = load_digits()
        images = np.rint(digits.images * (255 / _MAX_INK)).astype(np.uint8)
        return ImageDataset(
            train_images=images[:, None],
            train_labels=digits.target.astype(np.int64),
            test_images=None,
            test_labels=None,
            class_names=tuple(str(digit) for digit in range(10)),
            mean=(0.5,),
            std=(0.25,),
            crop_and_flip=False,
        )
