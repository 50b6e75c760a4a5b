"""The digits are those of scikit-learn's own loader, and reading them imports none of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from study.data.dataset import DataError
from study.data.sources import digits
from study.data.sources.digits import Digits


def test_they_are_those_of_scikit_learns_own_loader() -> None:
    dataset, expected = Digits().load(None), load_digits()
    assert np.array_equal(dataset.train_labels, expected.target)
    ink = dataset.train_images[:, 0] * (16 / 255)
    assert np.array_equal(np.rint(ink), expected.images)
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0, 255)


def test_reading_them_does_not_import_scikit_learn() -> None:
    code = (
        "import sys; from study.data.sources.digits import Digits; Digits().load(None); "
        "sys.exit('sklearn' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_scikit_learn_without_them_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(digits, "_FILE", str(Path("datasets") / "nowhere.csv.gz"))
    with pytest.raises(DataError, match=r"no datasets/nowhere.csv.gz here; install scikit-learn"):
        Digits().load(None)
