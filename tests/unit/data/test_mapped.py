"""Images that stay in a file: equal to those in memory, sent by where they lie, read ahead."""

import pickle
import threading

import cloudpickle
import numpy as np
import pytest
import torch

from study.data import batches
from study.data.batches import ImagePool, ahead
from study.data.mapped import MappedImages, map_images

SHAPE = (20, 3, 6, 5)
CPU = torch.device("cpu")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def mapped(images, tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, images)
    offset = path.stat().st_size - images.nbytes
    return map_images(path, offset, SHAPE)


def test_they_are_what_the_file_holds_and_cannot_be_written(mapped, images):
    assert isinstance(mapped, MappedImages)
    assert np.array_equal(mapped, images)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 0


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
@pytest.mark.parametrize("part", [slice(None), slice(3, 11), slice(19, 20), slice(5, 5)])
def test_another_process_is_sent_the_place_and_not_the_pixels(mapped, images, dumps, part):
    sent = dumps(mapped[part])
    found = pickle.loads(sent)
    assert np.array_equal(found, images[part])
    if len(images[part]):
        assert isinstance(found, MappedImages)
        assert len(sent) < 1000


def test_what_is_no_whole_part_of_the_file_is_sent_itself(mapped, images):
    for made, wanted in (
        (mapped[::2], images[::2]),
        (mapped[:, :, ::-1], images[:, :, ::-1]),
        (mapped.take([1, 1, 5], axis=0), images[[1, 1, 5]]),
        (mapped[mapped[:, 0, 0, 0] > 100], images[images[:, 0, 0, 0] > 100]),
    ):
        found = pickle.loads(pickle.dumps(made))
        assert np.array_equal(found, wanted)
        assert type(found) is np.ndarray


@pytest.mark.usefixtures("mapped")
def test_a_file_that_is_shorter_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bytes"):
        map_images(tmp_path / "images.npy", 128, (21, 3, 6, 5))


@pytest.mark.parametrize("augment", ["none", "crop_and_flip", "random_resized_crop"])
def test_minibatches_are_those_of_images_in_memory(mapped, images, augment):
    labels = np.arange(20) % 7

    def drawn(source):
        pool = ImagePool(source, labels, mean=(0.5,) * 3, std=(0.25,) * 3, device=CPU)
        order = np.random.default_rng(1).integers(0, 20, 50)
        generator = torch.Generator().manual_seed(0)
        return list(pool.minibatches(order, batch_size=7, augment=augment, generator=generator))

    for (a, b), (c, d) in zip(drawn(mapped), drawn(images), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_a_pass_that_is_given_up_leaves_no_thread(mapped):
    pool = ImagePool(mapped, np.zeros(20, np.int64), mean=(0.5,) * 3, std=(0.25,) * 3, device=CPU)
    before = threading.active_count()
    run = pool.minibatches(np.arange(20), batch_size=2)
    next(run)
    run.close()
    assert threading.active_count() == before


def test_what_is_made_ahead_comes_in_order_and_so_do_errors():
    def make(number):
        if number == 5:
            raise RuntimeError("no")
        return number**2

    assert list(ahead(make, range(5))) == [0, 1, 4, 9, 16]
    run = ahead(make, range(9))
    assert [next(run) for _ in range(5)] == [0, 1, 4, 9, 16]
    with pytest.raises(RuntimeError, match="no"):
        next(run)


def test_what_does_not_fit_on_a_device_is_sent_part_by_part(images, monkeypatch):
    labels = np.arange(20) % 7
    meta = torch.device("meta")
    monkeypatch.setattr(batches, "fits_on", lambda *_: False)
    pool = ImagePool(images, labels, mean=(0.5,) * 3, std=(0.25,) * 3, device=meta)
    made = list(pool.minibatches(np.arange(20), batch_size=8))
    assert [tuple(x.shape) for x, _ in made] == [(8, 3, 6, 5), (8, 3, 6, 5), (4, 3, 6, 5)]
    assert {x.device.type for x, _ in made} == {"meta"}
