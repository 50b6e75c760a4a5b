"""What every data set must do."""

import dataclasses
import importlib
import pickle

import numpy as np
import pytest

from study.data.dataset import DATASETS, DataError
from study.registry import hyperparameters

for module in ("arrays", "digits", "image_folder", "synthetic", "torchvision_datasets"):
    importlib.import_module(f"study.data.sources.{module}")

NAMES = list(DATASETS)
WITHOUT_FILES = ["digits", "synthetic"]
WITH_ROOT = [name for name in NAMES if DATASETS.get(name).needs_root]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_builds_from_defaults_is_frozen_documented_and_survives_pickling(name):
    source = DATASETS.get(name)()
    assert type(source).__dataclass_params__.frozen
    assert type(source).__doc__
    assert pickle.loads(pickle.dumps(source)) == source
    for field in hyperparameters(type(source)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(source, field, 1)


@pytest.mark.parametrize("name", WITH_ROOT)
def test_a_data_set_that_needs_files_asks_for_the_root_if_there_is_none(name):
    with pytest.raises(DataError, match=r"data\.root .*APP_STUDY_DATA"):
        DATASETS.get(name)().load(None)


@pytest.mark.parametrize("name", WITH_ROOT)
def test_a_data_set_without_its_files_says_where_it_looked_and_what_to_do(name, tmp_path):
    with pytest.raises(DataError) as caught:
        DATASETS.get(name)().load(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "data.root" in str(caught.value)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_a_data_set_without_files_loads_the_same_images_each_time(name):
    source = DATASETS.get(name)()
    once, again = source.load(None), source.load(None)
    for field in dataclasses.fields(once):
        assert np.array_equal(getattr(once, field.name), getattr(again, field.name))


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_a_loaded_data_set_is_consistent(name):
    dataset = DATASETS.get(name)().load(None)
    channels = dataset.image_shape[0]
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_images.flags.c_contiguous
    assert dataset.train_labels.dtype == np.int64
    assert dataset.train_labels.shape == dataset.train_images.shape[:1]
    assert np.unique(dataset.train_labels).tolist() == list(range(dataset.num_classes))
    assert len(dataset.mean) == len(dataset.std) == channels
    assert (dataset.test_images is None) == (dataset.test_labels is None)
    if dataset.test_images is not None:
        assert dataset.test_images.shape[1:] == dataset.train_images.shape[1:]
