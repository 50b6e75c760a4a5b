import bz2
import gzip
import hashlib
import pickle
import struct

import numpy as np
import pytest
from torchvision import datasets as torchvision_datasets

from study.data.dataset import DATASETS, DataError
from study.data.sources.torchvision_datasets import EMNIST, MNIST, QMNIST

NUM = {"train": 6, "t10k": 3}


def idx(array):
    kind = {np.dtype(np.uint8): 8, np.dtype(np.int32): 12}[array.dtype]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def split_arrays(split):
    images = np.random.default_rng(len(split)).integers(0, 256, (NUM[split], 28, 28), np.uint8)
    return images, np.arange(NUM[split], dtype=np.uint8)


def write_mnist(folder, *, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for split in NUM:
        images, labels = split_arrays(split)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{split}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["MNIST/raw", "MNIST", "mnist", "mnist/raw"])
def test_mnist_is_read_from_any_usual_folder_plain_or_packed(tmp_path, folder, packed):
    write_mnist(tmp_path / folder, packed=packed)
    dataset = MNIST().load(tmp_path)
    images, labels = split_arrays("train")
    assert np.array_equal(dataset.train_images, images[:, None])
    assert dataset.train_labels.tolist() == labels.tolist()
    assert np.array_equal(dataset.test_images[:, 0], split_arrays("t10k")[0])
    assert (dataset.num_classes, dataset.mean, dataset.crop_and_flip) == (10, (0.1307,), False)


def test_the_root_may_be_the_mnist_folder_itself(tmp_path):
    write_mnist(tmp_path / "mnist", packed=True)
    assert len(MNIST().load(tmp_path / "mnist").train_labels) == 6


def test_files_of_mnist_are_not_taken_for_those_of_fashion_mnist(tmp_path):
    write_mnist(tmp_path / "mnist")
    with pytest.raises(DataError, match="FashionMNIST/raw"):
        DATASETS.get("fashion_mnist")().load(tmp_path / "mnist")


def test_reading_packed_files_leaves_the_folder_as_it_was(tmp_path):
    write_mnist(tmp_path / "mnist", packed=True)
    before = sorted(tmp_path.rglob("*"))
    MNIST().load(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("packed", [False, True])
def test_cut_mnist_files_are_refused_with_the_folder_and_the_remedy(tmp_path, packed):
    write_mnist(tmp_path / "MNIST/raw", packed=packed)
    path = next((tmp_path / "MNIST/raw").glob("train-images*"))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"MNIST/raw .*data\.download: true"):
        MNIST().load(tmp_path)


def test_qmnist_labels_are_the_first_of_eight_facts(tmp_path):
    raw = tmp_path / "QMNIST/raw"
    raw.mkdir(parents=True)
    for split in ("train", "test"):
        facts = np.arange(10 * 8, dtype=np.int32).reshape(10, 8)
        facts[:, 0] = np.arange(10)
        images = np.zeros((10, 28, 28), np.uint8)
        (raw / f"qmnist-{split}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"qmnist-{split}-labels-idx2-int").write_bytes(idx(facts))
    assert QMNIST().load(tmp_path).train_labels.tolist() == list(range(10))


def test_emnist_reads_the_split_asked_for_and_refuses_others(tmp_path):
    raw = tmp_path / "EMNIST/raw"
    raw.mkdir(parents=True)
    for half in ("train", "test"):
        prefix = raw / f"emnist-digits-{half}"
        images = np.zeros((4, 28, 28), np.uint8)
        prefix.with_name(f"{prefix.name}-images-idx3-ubyte").write_bytes(idx(images))
        prefix.with_name(f"{prefix.name}-labels-idx1-ubyte").write_bytes(
            idx(np.arange(4, dtype=np.uint8))
        )
    assert EMNIST(split="digits").load(tmp_path).num_classes == 10
    with pytest.raises(ValueError, match=r"^split must be one of balanced.*got 'letters'"):
        EMNIST(split="letters")


def write_cifar(folder, monkeypatch):
    """A tiny CIFAR-10, whose checksums torchvision is told."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    batches = {}
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        pixels = generator.integers(0, 256, (4, 3072), dtype=np.uint8)
        batches[name] = (pixels, write(name, {"data": pixels, "labels": [0, 3, 9, 1]}))
    names = [f"name {label}" for label in range(10)]
    meta = {"filename": "batches.meta", "key": "label_names"}
    meta["md5"] = write("batches.meta", {"label_names": names})
    loader = torchvision_datasets.CIFAR10
    train = [[name, batches[name][1]] for name in ("data_batch_1", "data_batch_2")]
    monkeypatch.setattr(loader, "train_list", train)
    monkeypatch.setattr(loader, "test_list", [["test_batch", batches["test_batch"][1]]])
    monkeypatch.setattr(loader, "meta", meta)
    return batches


def test_cifar10_comes_channels_first_with_its_names_and_is_augmented(tmp_path, monkeypatch):
    batches = write_cifar(tmp_path / "cifar-10-batches-py", monkeypatch)
    dataset = DATASETS.get("cifar10")().load(tmp_path)
    pixels = np.concatenate([batches["data_batch_1"][0], batches["data_batch_2"][0]])
    assert np.array_equal(dataset.train_images, pixels.reshape(-1, 3, 32, 32))
    assert dataset.train_images.flags.c_contiguous
    assert dataset.train_labels.tolist() == [0, 3, 9, 1] * 2
    assert dataset.class_names[3] == "name 3"
    assert dataset.crop_and_flip


def test_a_damaged_cifar_file_is_never_unpickled(tmp_path, monkeypatch):
    write_cifar(tmp_path / "cifar-10-batches-py", monkeypatch)
    (tmp_path / "cifar-10-batches-py/test_batch").write_bytes(b"cos\nsystem\n")
    with pytest.raises(DataError, match="not found or corrupted"):
        DATASETS.get("cifar10")().load(tmp_path)


def test_usps_pixels_from_minus_one_to_one_become_bytes(tmp_path):
    pixels = " ".join(f"{place + 1}:{-1 if place % 2 else 1}" for place in range(256))
    lines = "".join(f"{label + 1} {pixels}\n" for label in range(10))
    for name in ("usps.bz2", "usps.t.bz2"):
        (tmp_path / name).write_bytes(bz2.compress(lines.encode()))
    dataset = DATASETS.get("usps")().load(tmp_path)
    assert dataset.train_images.shape == (10, 1, 16, 16)
    assert dataset.train_images[0, 0, 0, :2].tolist() == [255, 0]
    assert dataset.train_labels.tolist() == list(range(10))


def test_a_failed_download_says_so(tmp_path, monkeypatch):
    def offline(_):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision_datasets.CIFAR10, "download", offline)
    with pytest.raises(DataError, match=r"could not be downloaded.*no route to host"):
        DATASETS.get("cifar10")(download=True).load(tmp_path)
