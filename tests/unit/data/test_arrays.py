import numpy as np
import pytest

from study.data.dataset import DataError
from study.data.sources.arrays import Arrays

LABELS = np.array([0, 1, 2, 0, 1, 2])


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "images.npz", **arrays)
    return tmp_path


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((6, 5, 7), None, (6, 1, 5, 7)),
        ((6, 5, 7, 3), (0, 3, 1, 2), (6, 3, 5, 7)),
        ((6, 3, 5, 7), (0, 1, 2, 3), (6, 3, 5, 7)),
        ((6, 5, 7, 1), (0, 3, 1, 2), (6, 1, 5, 7)),
    ],
)
def test_images_of_each_layout_come_out_channels_first(tmp_path, shape, axes, expected):
    given = images(*shape)
    dataset = Arrays().load(saved(tmp_path, images=given, labels=LABELS))
    wanted = given[:, None] if axes is None else given.transpose(axes)
    assert dataset.train_images.shape == expected
    assert dataset.train_images.flags.c_contiguous
    assert np.array_equal(dataset.train_images, wanted)
    assert dataset.train_labels.tolist() == LABELS.tolist()
    assert dataset.test_images is None


def test_a_test_split_is_taken_along(tmp_path):
    root = saved(
        tmp_path,
        images=images(6, 5, 5),
        labels=LABELS.astype(np.uint8),
        test_images=images(2, 5, 5),
        test_labels=np.array([2, 0]),
    )
    dataset = Arrays().load(root)
    assert dataset.test_images.shape == (2, 1, 5, 5)
    assert dataset.test_labels.tolist() == [2, 0]
    assert dataset.num_classes == 3


def test_an_absolute_path_needs_no_root_and_a_relative_one_does(tmp_path):
    saved(tmp_path, images=images(6, 5, 5), labels=LABELS)
    assert len(Arrays(path=str(tmp_path / "images.npz")).load(None).train_labels) == 6
    with pytest.raises(DataError, match=r"relative, but no data\.root"):
        Arrays().load(None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no file .*nothing\.npz"):
        Arrays(path="nothing.npz").load(tmp_path)


def test_an_empty_path_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"^path must"):
        Arrays(path="")


WRONG = [
    ({"labels": LABELS}, "there is no array 'images'"),
    ({"images": images(6, 5, 5).astype(np.float32), "labels": LABELS}, "uint8.*got float32"),
    ({"images": images(6, 3, 5, 3), "labels": LABELS}, "which axis holds the channels is unclear"),
    ({"images": images(6, 5, 5, 5), "labels": LABELS}, "which axis holds the channels is unclear"),
    ({"images": images(6, 5), "labels": LABELS}, r"must be \[N, H, W\]"),
    ({"images": images(0, 5, 5), "labels": LABELS[:0]}, "is empty"),
    ({"images": images(6, 5, 5), "labels": LABELS[:5]}, r"shape \(6,\), got shape \(5,\)"),
    ({"images": images(6, 5, 5), "labels": LABELS * 1.0}, "must be integers"),
    ({"images": images(6, 5, 5), "labels": LABELS - 1}, "must start at 0, got -1"),
    ({"images": images(6, 5, 5), "labels": LABELS * 2}, "1 does not occur and 4 does"),
    ({"images": images(6, 5, 5), "labels": LABELS * 0}, "one class only"),
    ({"images": images(6, 5, 5), "labels": LABELS, "test_labels": LABELS}, "or neither"),
    (
        {
            "images": images(6, 5, 5),
            "labels": LABELS,
            "test_images": images(1, 5, 6),
            "test_labels": LABELS[:1],
        },
        "make them alike",
    ),
    (
        {
            "images": images(6, 5, 5),
            "labels": LABELS,
            "test_images": images(1, 5, 5),
            "test_labels": np.array([3]),
        },
        "test_labels has class 3",
    ),
    ({"images": np.array([{}] * 6), "labels": LABELS}, "not a readable .npz of plain arrays"),
]


@pytest.mark.parametrize(("arrays", "words"), WRONG)
def test_wrong_arrays_are_refused_with_path_and_reason(tmp_path, arrays, words):
    root = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=words) as caught:
        Arrays().load(root)
    assert str(root / "images.npz") in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "images.npz").write_bytes(content)
    with pytest.raises(DataError, match="not a readable"):
        Arrays().load(tmp_path)


def test_a_single_array_is_refused_with_the_way_to_save_it(tmp_path):
    np.save(tmp_path / "one.npy", LABELS)
    with pytest.raises(DataError, match=r"numpy\.savez"):
        Arrays(path="one.npy").load(tmp_path)


def test_archives_spoilt_by_chance_are_refused_or_read_as_they_were(tmp_path):
    saved(tmp_path, images=images(6, 8, 8), labels=LABELS)
    path = tmp_path / "images.npz"
    content, wanted = path.read_bytes(), Arrays().load(tmp_path)
    generator = np.random.default_rng(0)
    num_refused = 0
    for _ in range(300):
        spoilt = bytearray(content)
        for place in generator.integers(0, len(content), generator.integers(1, 4)):
            spoilt[place] = generator.integers(0, 256)
        path.write_bytes(spoilt[: generator.integers(len(content) // 2, 2 * len(content))])
        try:
            read = Arrays().load(tmp_path)
        except DataError:
            num_refused += 1
        else:
            assert np.array_equal(read.train_images, wanted.train_images)
            assert np.array_equal(read.train_labels, wanted.train_labels)
    assert num_refused > 150


def test_an_archive_that_unpacks_to_more_than_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("study.data.sources.memory.total_memory", lambda: 2**20)
    np.savez_compressed(
        tmp_path / "images.npz", images=np.zeros((2000, 32, 32), np.uint8), labels=LABELS
    )
    assert (tmp_path / "images.npz").stat().st_size < 10_000
    with pytest.raises(DataError, match=r"images\.npz: the unpacked arrays would take"):
        Arrays().load(tmp_path)


def test_arrays_that_are_not_ours_are_not_read(tmp_path):
    given = {"images": images(6, 5, 7), "labels": LABELS, "notes": np.array([print], dtype=object)}
    np.savez(tmp_path / "images.npz", **given)
    assert len(Arrays().load(tmp_path).train_labels) == 6


def test_pickled_images_are_refused(tmp_path):
    ragged = np.array([np.zeros((4, 4)), np.zeros((5, 5))], dtype=object)
    np.savez(tmp_path / "images.npz", images=ragged, labels=np.array([0, 1]))
    with pytest.raises(DataError, match="of plain arrays"):
        Arrays().load(tmp_path)
