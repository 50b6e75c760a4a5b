"""What every data set must be, whoever wrote its plug-in."""

import pickle
from typing import Any

import numpy as np
import pytest

from study.data.dataset import DataError, ImageDataset


def dataset(**changes: Any) -> ImageDataset:
    made: dict[str, Any] = {
        "train_images": np.zeros((4, 1, 2, 2), np.uint8),
        "train_labels": np.array([0, 1, 0, 1]),
        "test_images": np.zeros((2, 1, 2, 2), np.uint8),
        "test_labels": np.array([0, 1]),
        "class_names": ("a", "b"),
        "mean": (0.5,),
        "std": (0.25,),
        "crop_and_flip": False,
    }
    return ImageDataset(**{**made, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_labels": np.array([0, 1, 2, 1])}, r"1 training labels .* example 2 .* class 2"),
        ({"test_labels": np.array([0, -1])}, r"1 test labels .* class -1"),
        ({"train_images": np.zeros((4, 1, 2, 2))}, "must be uint8 .* got float64"),
        ({"train_images": np.zeros((4, 2, 2), np.uint8)}, r"must be uint8 \[N, C, H, W\]"),
        ({"train_images": np.zeros((0, 1, 2, 2), np.uint8)}, "none of them 0"),
        ({"train_labels": np.array([0.0, 1.0, 0.0, np.nan])}, "must be int64 .* got float64"),
        ({"train_labels": np.array([0, 1, 0])}, r"must be int64 \[4\]"),
        ({"test_images": np.zeros((2, 1, 3, 3), np.uint8)}, "test images are .* make them alike"),
        ({"test_images": None}, "not both"),
        ({"mean": (0.5, 0.5, 0.5)}, "mean has 3 values for 1 channels"),
    ],
)
def test_what_does_not_belong_together_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        dataset(**changes)


def test_what_is_right_is_kept_and_crosses_processes() -> None:
    assert pickle.loads(pickle.dumps(dataset())).class_names == ("a", "b")


def test_all_that_is_wrong_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("two things", ("one", "other"))))
    assert (error.summary, error.details) == ("two things", ("one", "other"))
    assert str(error) == "two things\n  one\n  other"
