"""What arrives later is more of the same, or is refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from study.data.dataset import Arrival, DataError, ImageDataset
from study.data.sources.arrays import Arrays
from study.data.sources.arrivals import read_arrival, write_arrival
from study.data.sources.image_folder import ImageFolder
from study.data.splits import make_splits

SOURCE = Arrays()


def dataset(**changes: Any) -> ImageDataset:
    rng = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.int64) % 3
    made: dict[str, Any] = {
        "train_images": rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8),
        "train_labels": labels,
        "test_images": None,
        "test_labels": None,
        "class_names": ("cat", "dog", "owl"),
        "mean": (0.5,),
        "std": (0.25,),
        "crop_and_flip": False,
    }
    return ImageDataset(**made | changes)


def arrival(num: int = 7, *, label: int = 2) -> Arrival:
    images = np.random.default_rng(1).integers(0, 256, (num, 1, 8, 8), dtype=np.uint8)
    return Arrival(images, np.full(num, label, dtype=np.int64))


def archive(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_what_was_kept_is_read_back_as_it_was_of_few_classes_too(tmp_path: Path) -> None:
    kept, path = arrival(), tmp_path / "deep" / "kept.npz"
    write_arrival(kept, path)
    assert [p.name for p in path.parent.iterdir()] == ["kept.npz"]
    read = read_arrival(path, SOURCE, dataset())
    assert read.digest() == kept.digest()
    assert read.labels.tolist() == [2] * 7
    assert arrival(label=1).digest() != kept.digest()


def test_images_of_every_layout_are_taken(tmp_path: Path) -> None:
    given = arrival()
    wanted = given.digest()
    for name, images in {
        "plain": given.images[:, 0],
        "last": given.images.transpose(0, 2, 3, 1),
        "first": given.images,
    }.items():
        path = archive(tmp_path / f"{name}.npz", images=images, labels=given.labels)
        assert read_arrival(path, SOURCE, dataset()).digest() == wanted


def test_images_so_small_that_their_layout_could_be_either_are_taken_as_the_study_has_them(
    tmp_path: Path,
) -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 4), dtype=np.uint8)
    whole = dataset(train_images=tiny, mean=(0.5,) * 3, std=(0.25,) * 3)
    path = archive(tmp_path / "a.npz", images=tiny[:5], labels=np.zeros(5, dtype=np.int64))
    assert np.array_equal(read_arrival(path, SOURCE, whole).images, tiny[:5])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((4, 9, 9), np.uint8), "labels": np.zeros(4, int)}, r"\[1, 9, 9\]"),
        ({"images": np.zeros((4, 8, 8), np.uint8), "labels": np.full(4, 3)}, r"of class 3.*0 … 2"),
        ({"images": np.zeros((4, 8, 8), np.uint8), "labels": np.full(4, -1)}, "must start at 0"),
        ({"images": np.zeros((4, 8, 8), np.uint8), "labels": np.zeros(3, int)}, "one a image"),
        ({"images": np.zeros((0, 8, 8), np.uint8), "labels": np.zeros(0, int)}, "is empty"),
        ({"images": np.zeros((0, 1, 8, 8), np.uint8), "labels": np.zeros(0, int)}, "is empty"),
        ({"images": np.zeros((4, 8, 8)), "labels": np.zeros(4, int)}, "must be uint8"),
        ({"images": np.zeros((4, 8, 8), np.uint8)}, "no array 'labels'"),
        (
            {
                "images": np.zeros((4, 8, 8), np.uint8),
                "labels": np.zeros(4, int),
                "test_images": np.zeros((4, 8, 8), np.uint8),
                "test_labels": np.zeros(4, int),
            },
            "its own test split.*leave test_images out",
        ),
    ],
)  # fmt: skip
def test_other_data_is_refused_by_the_name_of_its_file(
    arrays: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = archive(tmp_path / "new.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        read_arrival(path, SOURCE, dataset())
    assert str(path) in str(caught.value)


def test_what_is_no_archive_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="not a readable"):
        read_arrival(tmp_path / "a.npz", SOURCE, dataset())
    with pytest.raises(DataError, match="no file or folder"):
        read_arrival(tmp_path / "b.npz", SOURCE, dataset())


def folder_of(path: Path, classes: dict[str, int]) -> Path:
    for name, num in classes.items():
        (path / name).mkdir(parents=True)
        for index in range(num):
            pixels = np.full((8, 8), 20 * index, dtype=np.uint8)
            Image.fromarray(pixels).save(path / name / f"{index}.png")
    return path


@pytest.mark.parametrize("source", [SOURCE, ImageFolder(image_size=8, grayscale=True)])
def test_a_folder_is_taken_by_the_names_of_the_classes_whatever_the_study_reads(
    source: Any, tmp_path: Path
) -> None:
    read = read_arrival(folder_of(tmp_path, {"owl": 2, "dog": 3}), source, dataset())
    assert read.labels.tolist() == [1, 1, 1, 2, 2]
    assert read.images[:, 0, 0, 0].tolist() == [0, 20, 40, 0, 20]


def test_a_class_map_of_the_users_own_is_the_one_beside_the_data_of_the_study(
    tmp_path: Path,
) -> None:
    folder_of(tmp_path / "data/all", {"tabby": 4, "barn": 3, "left_out": 1})
    (tmp_path / "data/all/map.yaml").write_text("barn: owl\ntabby: cat\n")
    source = ImageFolder(path="all", image_size=8, grayscale=True, class_map="map.yaml")
    whole = source.load(tmp_path / "data")
    new = folder_of(tmp_path / "new", {"tabby": 2, "left_out": 1})
    read = read_arrival(new, source, whole, root=tmp_path / "data")
    assert [whole.class_names[label] for label in read.labels] == ["cat", "cat"]


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"cat": 2, "fox": 1, "elk": 1}, r"(?s)2 things are wrong.*elk: is no class.*fox: is no"),
        ({"cat": 0}, "holds no images"),
        ({}, "no class folders"),
        ({"train/cat": 1, "test/cat": 1}, "its own test split"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_with_all_that_is_wrong(
    classes: dict[str, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        read_arrival(folder_of(tmp_path, classes), SOURCE, dataset())


def test_a_folder_for_images_that_are_not_square_is_refused(tmp_path: Path) -> None:
    wide = dataset(train_images=np.zeros((60, 1, 8, 12), dtype=np.uint8))
    with pytest.raises(DataError, match="8 high and 12 wide"):
        read_arrival(folder_of(tmp_path, {"cat": 1}), SOURCE, wide)


def test_no_split_is_drawn_from_what_arrives_and_all_of_it_arrives() -> None:
    before, after = dataset(), dataset().with_arrivals([arrival(7), arrival(5, label=0)])
    assert after.num_before_arrivals == 60
    assert after.digest() != before.digest()
    a = make_splits(before, seed=3, holdout_fraction=0.2)
    b = make_splits(after, seed=3, holdout_fraction=0.2)
    for name in ("stream", "holdout", "test"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert not a.arrivals
    assert [sorted(part) for part in b.arrivals] == [list(range(60, 67)), list(range(67, 72))]


def test_an_earlier_arrival_lies_where_it_lay_when_another_comes() -> None:
    one = dataset().with_arrivals([arrival(7)])
    two = one.with_arrivals([arrival(5)])
    assert np.array_equal(two.train_images[:67], one.train_images)
    (alone,) = make_splits(one, seed=0, holdout_fraction=0.1).arrivals
    assert np.array_equal(make_splits(two, seed=0, holdout_fraction=0.1).arrivals[0], alone)
    together = dataset().with_arrivals([arrival(7), arrival(5)])
    assert together.digest() == two.digest()
